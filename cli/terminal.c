/* terminal.c - colours where they are wanted, text that a terminal does not obey, and an orderly stop on Ctrl-C. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t interrupted;

int cli_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return (no == NULL || no[0] == '\0') && isatty(fileno(stream)) == 1 &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

void cli_put(FILE *stream, const char *text)
{
    for (; *text != '\0'; text++)
        (void)fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, stream);
}

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_catch_interrupt(void)
{
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    const int signals[] = { SIGINT, SIGTERM, SIGHUP };

    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaction(signals[i], &action, NULL);
}

/* A file opened later must not become standard output: what is closed is opened on nothing, and the wrong
 * way round, so that what is written there is an error and not lost. Messages may be lost. */
static void fill_standard_streams(void)
{
    static const int ways[] = { O_WRONLY, O_RDONLY, O_RDWR };

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", ways[fd]);
}

static void ignore(int number)
{
    (void)number;
}

void cli_survive_surroundings(void)
{
    fill_standard_streams();
    (void)signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error to report, not a death */
    /* A reader that has gone is an error of the write, after which everything is cleaned up. A handler, for
     * an ignored signal would stay ignored in a plugin's host process. */
    struct sigaction action = { .sa_handler = ignore, .sa_flags = (int)SA_RESTART };

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGPIPE, &action, NULL);
}

int cli_interrupted(void)
{
    return interrupted;
}
