SELECT 'plain; with a semicolon', 'doubled '' quote;', '';
SELECT 'a backslash is plain here \'; SELECT 2;
SELECT E'escaped \' quote; \\', e'\';', E'\\'; SELECT E'''';
SELECT 'continued;'
  'here;' -- not; here
  ';and here';
SELECT 'not continued' /* ; */ AS a;
SELECT U&'\0041;', u&'d!0061t;' UESCAPE '!', U&"\0061;".* FROM (SELECT 1) U&"\0061;";
SELECT B'01', b'1', X'1F', x'f', N'national; one', n';';
SELECT 'ends in a backslash\' || ';';
SELECT name'typed; literal', date '2026-01-01;' IS NULL;
SELECT 'multi
line;
', 'tab	;';
