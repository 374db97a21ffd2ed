/* train_memory.c - bytes per parameter by kind from the planned arena, and the resident size a run will have: the
 * arenas, and what else the process holds when all is made and nothing has run. */
#include "train_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "results.h"

static const char *const kinds[FPX_MEMORY_KINDS] = {
    [FPX_MEMORY_MASTER] = "master",
    [FPX_MEMORY_GRADIENT] = "gradient",
    [FPX_MEMORY_M] = "m",
    [FPX_MEMORY_V] = "v",
    [FPX_MEMORY_COMPUTE] = "compute copy",
    [FPX_MEMORY_ACTIVATION] = "activations",
    [FPX_MEMORY_WORK] = "work space",
};

/* Of this process, in bytes; 0 where the system does not say. */
static uint64_t resident(void)
{
    const long page = sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    (void)fclose(file);
    return page > 0 ? pages * (uint64_t)page : 0;
}

static void row(FILE *out, const char *name, uint64_t most, uint64_t together, double parameters)
{
    (void)fprintf(out, "%-14s %14" PRIu64 " %10.3f %14" PRIu64 " %10.3f\n", name, most,
                  (double)most / parameters, together, (double)together / parameters);
}

/* Its memory in bytes; 0 where the system does not say. */
static double machine(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (double)pages * (double)page : 0.0;
}

static uint64_t peak_of(const fpx_memory *m, uint64_t rest)
{
    return rest + m->arena + m->evaluation;
}

/* Beside what the optimizer has in fp32, and the products in bf16: 16 and 18 bytes a parameter with two moments. */
static void compare(FILE *out, const fpx_memory *m, double parameters)
{
    uint64_t states = 0;
    unsigned whole = 0;

    for (size_t k = FPX_MEMORY_MASTER; k <= FPX_MEMORY_V; k++) {
        states += m->most[k];
        whole += m->most[k] > 0 ? 4 : 0;
    }
    (void)fprintf(out,
                  "bytes a parameter of master, gradient and moments: %.3f (fp32: %u); with the "
                  "compute copy %.3f (fp32 and a bf16 copy: %u)\n",
                  (double)states / parameters, whole,
                  (double)(states + m->most[FPX_MEMORY_COMPUTE]) / parameters, whole + 2);
}

static void print(FILE *out, const session *s, const fpx_memory *m, uint64_t rest)
{
    const double n = (double)m->parameters;
    const fpx_program *program = fpx_trainer_model(s->trainer)->program;

    (void)fprintf(out, "%s, recipe %s: %" PRIu64 " parameters\n%-14s %14s %10s %14s %10s\n",
                  s->experiment->name, s->recipe->name, m->parameters, "", "at most", "/ param",
                  "when fullest", "/ param");
    for (size_t k = 0; k < FPX_MEMORY_KINDS; k++)
        row(out, kinds[k], m->most[k], m->together[k], n);
    (void)fprintf(out, "%-14s %14s %10s %14" PRIu64 " %10.3f\n", "gaps", "", "", m->gap,
                  (double)m->gap / n);
    (void)fprintf(out, "%-14s %14s %10s %14" PRIu64 " %10.3f  fullest at %s\n", "arena", "", "",
                  m->arena, (double)m->arena / n, fpx_program_op_at(program, m->fullest)->name);
    compare(out, m, n);
    (void)fprintf(out,
                  "resident at its peak, predicted: %.1f MiB = %.1f arena + %.1f arena of the "
                  "validation + %.1f corpus + %.1f program, libraries, the device's work space\n",
                  (double)peak_of(m, rest) / 1048576.0, (double)m->arena / 1048576.0,
                  (double)m->evaluation / 1048576.0, (double)m->corpus / 1048576.0,
                  ((double)rest - (double)m->corpus) / 1048576.0);
    if (machine() > 0.0 && (double)peak_of(m, rest) > machine())
        (void)fprintf(out, "note: this machine has %.1f GiB, the run needs %.1f\n",
                      machine() / 1073741824.0, (double)peak_of(m, rest) / 1073741824.0);
}

static fpx_status write_json(const char *path, const session *s, const fpx_memory *m, uint64_t rest,
                             fpx_error *err)
{
    json_t *most = json_object(), *together = json_object();

    for (size_t k = 0; k < FPX_MEMORY_KINDS; k++) {
        (void)json_object_set_new(most, kinds[k], json_integer((json_int_t)m->most[k]));
        (void)json_object_set_new(together, kinds[k], json_integer((json_int_t)m->together[k]));
    }
    return cli_write_json(
        path,
        json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "schema",
                  "fpx.memory/1", "experiment", s->experiment->name, "recipe", s->recipe->name,
                  "parameters", (json_int_t)m->parameters, "at_most", most, "when_fullest",
                  together, "fullest",
                  fpx_program_op_at(fpx_trainer_model(s->trainer)->program, m->fullest)->name,
                  "gaps", (json_int_t)m->gap, "arena", (json_int_t)m->arena, "validation_arena",
                  (json_int_t)m->evaluation, "corpus", (json_int_t)m->corpus, "rest",
                  (json_int_t)rest, "peak_resident", (json_int_t)peak_of(m, rest)),
        err);
}

int train_memory(const session_options *options, const char *json)
{
    fpx_error err = { 0 };
    fpx_memory m;
    session s;

    if (session_open(options, &s, &err) != FPX_OK)
        return cli_fail(&err);
    fpx_status status = fpx_trainer_memory(s.trainer, &m, &err);
    if (status == FPX_OK) {
        uint64_t rest = resident(); /* there are no arenas, and no work space */

        for (size_t i = 0; i < s.ndevices; i++)
            rest += fpx_device_planned(s.devices[i]);

        print(cli_text_stream(json, NULL), &s, &m, rest);
        if (json != NULL)
            status = write_json(json, &s, &m, rest, &err);
    }
    (void)session_close(&s, NULL);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}
