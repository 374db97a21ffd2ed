/* stubs.c - placeholders until the demo and the benchmarks are in; goes when they come. */
#include "cli.h"

static const cli_option none[] = { { NULL, NULL, NULL } };

static int nothing(const cli_args *a)
{
    (void)a;
    return cli_usage("", "not there yet");
}

const cli_verb verb_bench = { "bench", "", "not there yet", "", none, 0, 0, nothing };
