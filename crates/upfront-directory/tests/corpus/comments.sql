-- leading; comment
/* block; comment */
SELECT 1; -- trailing;
SELECT /* nested /* ; */ still; */ 2;
SELECT 3 /* 'quote in a comment; */; SELECT 4 -- don't;
;
SELECT 5--;
;
SELECT 6 /**/ , 7 /***/ , 8 /*/ ; */ , 9 /* **/;
SELECT 4+/* ; */-1, 2*-- ;
3;
SELECT 5 - -1, @ -5, 1 --+;
;
/* alone; */
-- alone;
SELECT /* a */ -- b;
10 /* c
;
*/;
SELECT 11 -- no line end, and don't
