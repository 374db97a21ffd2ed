/* verb_doctor.c - fpx doctor: what is here, so that a report of trouble can say it. */
#include <stdio.h>
#include <stdlib.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>
#include <fpx/device.h>
#include <fpx/gemm.h>
#include <fpx/pool.h>
#include <fpx/recipe.h>

#include "cli.h"

static const cli_option options[] = { { NULL, NULL, NULL } };

static int run(const cli_args *a)
{
    fpx_error err = { 0 };
    fpx_cpu_level level;
    fpx_device *device;
    char text[512];
    const char *name;

    (void)a;
    (void)printf("fpx             %s\n", cli_version);
    (void)printf("processor       can run %s\n", fpx_cpu_level_name(fpx_cpu_detect()));
    if (fpx_cpu_choose(&level, &err) != FPX_OK || fpx_device_open("cpu", &device, &err) != FPX_OK)
        return cli_fail(&err);
    fpx_device_describe(device, text, sizeof text);
    fpx_device_close(device);
    (void)printf("in use          %s: conversions %s, matrices %s\n", fpx_cpu_level_name(level),
                 fpx_convert_kernel_name(), fpx_gemm_kernel_name(level));
    (void)printf("device          %s\n", text);
    (void)printf("recipes        ");
    for (size_t i = 0; (name = fpx_recipe_shipped(i)) != NULL; i++)
        (void)printf(" %s", name);
    (void)printf("\nFPX_CPU         %s\nFPX_THREADS     %s\n",
                 getenv("FPX_CPU") ? getenv("FPX_CPU") : "(not set)",
                 getenv("FPX_THREADS") ? getenv("FPX_THREADS") : "(not set)");
    return EXIT_HOLDS;
}

const cli_verb verb_doctor = {
    "doctor",
    "",
    "what is here: instruction sets, threads, devices, recipes",
    "example: fpx doctor",
    options,
    0,
    0,
    run,
};
