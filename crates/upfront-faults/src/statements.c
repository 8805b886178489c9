/*
 * Acts before a statement that the server executes, also within one message.
 *
 * A session names the statement and the action by its option `faults.at`, as
 * `<number>:<action>:<file>`. Numbers count from one the statements of all sessions with the same
 * file, those within functions and of foreign keys too: each adds one byte to the file. The action
 * happens once, by the session that removes the file.
 *
 * It is compiled without the server's headers, which are not everywhere: what it declares is the
 * same in versions 14 to 18, except for the block that a server compares when it loads a library.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct abi {
    int version, funcmaxargs, indexmaxkeys, namedatalen, float8byval;
#if MAJOR >= 15
    char abi_extra[32];
#endif
};

struct magic {
    int len;
    struct abi abi;
#if MAJOR >= 18
    const char *name, *version;
#endif
};

const struct magic *Pg_magic_func(void) {
    static const struct magic magic = {
        .len = sizeof(struct magic),
        .abi = {MAJOR * 100, 100, 32, 64, 1,
#if MAJOR >= 15
                "PostgreSQL",
#endif
        },
    };
    return &magic;
}

typedef long (*utility)(void *, const char *, bool, int, void *, void *, void *, void *);
typedef long (*executor)(void *, int);

extern utility ProcessUtility_hook;
extern executor ExecutorStart_hook;
extern long standard_ProcessUtility(void *, const char *, bool, int, void *, void *, void *, void *);
extern long standard_ExecutorStart(void *, int);
extern const char *GetConfigOption(const char *, bool, bool);
extern void ProcessInterrupts(void);
extern volatile sig_atomic_t ProcDiePending;

static void stop_server(int signal) {
    kill(getppid(), signal);
    /* The answer of the server to us: a flag, or the end of this process. */
    for (int tenths = 0; !ProcDiePending && tenths < 100; tenths++)
        usleep(100 * 1000);
    ProcessInterrupts();
}

static void act(const char *action) {
    if (!strcmp(action, "terminate") || !strcmp(action, "cancel")) {
        raise(strcmp(action, "cancel") ? SIGTERM : SIGINT);
        ProcessInterrupts();
    } else if (!strcmp(action, "crash"))
        raise(SIGKILL);
    else if (!strcmp(action, "restart-fast"))
        stop_server(SIGINT);
    else if (!strcmp(action, "restart-immediate"))
        stop_server(SIGQUIT);
}

static void before_statement(void) {
    long number, count = 0;
    char action[32], file[512];
    const char *at = GetConfigOption("faults.at", true, false);
    if (!at || sscanf(at, "%ld:%31[a-z-]:%511s", &number, action, file) != 3)
        return;
    int descriptor = open(file, O_WRONLY | O_APPEND);
    if (descriptor < 0)
        return;
    if (write(descriptor, ".", 1) == 1)
        count = lseek(descriptor, 0, SEEK_CUR);
    close(descriptor);
    if (count == number && unlink(file) == 0)
        act(action);
}

static long on_utility(void *statement, const char *text, bool read_only, int context, void *parameters,
                       void *environment, void *receiver, void *completion) {
    before_statement();
    return standard_ProcessUtility(statement, text, read_only, context, parameters, environment,
                                   receiver, completion);
}

static long on_executor(void *query, int flags) {
    before_statement();
    return standard_ExecutorStart(query, flags);
}

void _PG_init(void) {
    ProcessUtility_hook = on_utility;
    ExecutorStart_hook = on_executor;
}
