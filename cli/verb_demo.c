/* verb_demo.c - fpx demo: trains twice, breaks one result of the second run, and lets separate processes find
 * it that know nothing but the traces. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fpx/recipe.h>
#include <fpx/report.h>

#include "cli.h"
#include "demo_fault.h"
#include "demo_scratch.h"
#include "outputs.h"
#include "session.h"

enum { OPT_SEED, OPT_KEEP, OPT_PAGE };

static const cli_option options[] = {
    [OPT_SEED] = { "--seed", "N", "draw another fault (default 1)" },
    [OPT_KEEP] = { "--keep", NULL, "keep the traces" },
    [OPT_PAGE] = { "--page", "FILE", "where the page goes (default fpx-demo.html)" },
    { NULL, NULL, NULL }
};

/* One demo. Paths are all inside the scratch folder but the page. */
typedef struct demo {
    uint64_t seed;
    char experiment[SCRATCH_PATH];
    const char *page;
    char folder[SCRATCH_PATH], healthy[SCRATCH_PATH + 16], again[SCRATCH_PATH + 16],
        faulty[SCRATCH_PATH + 16], segments[SCRATCH_PATH + 16], output[SCRATCH_PATH + 16],
        json[SCRATCH_PATH + 16];
    demo_fault planted;
    fpx_fault_report report;
    uint64_t bytes_a_trace, steps;
    fpx_model *model; /* to draw the fault's site from */
} demo;

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* experiments/demo.yaml: here, or beside the program as built, or as installed. */
static fpx_status find_experiment(char path[SCRATCH_PATH], fpx_error *err)
{
    static const char *const places[] = { "../..", "..", "../share/fpx" };
    char exe[SCRATCH_PATH] = "";
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash = n > 0 ? strrchr(exe, '/') : NULL;

    (void)snprintf(path, SCRATCH_PATH, "experiments/demo.yaml");
    if (access(path, R_OK) == 0)
        return FPX_OK;
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++)
        if (snprintf(path, SCRATCH_PATH, "%s/%s/experiments/demo.yaml", exe, places[i]) <
                SCRATCH_PATH &&
            access(path, R_OK) == 0)
            return FPX_OK;
    return fpx_error_set(
        err, FPX_EIO,
        "experiments/demo.yaml is neither here nor beside the program: run fpx demo "
        "in the folder of the sources");
}

/* What the run will be: its program, to draw a fault from, and the size of a trace with all values. */
static fpx_status look_ahead(demo *d, fpx_error *err)
{
    fpx_experiment *e = NULL;
    fpx_recipe *r = NULL;
    fpx_status status = fpx_experiment_read(d->experiment, &e, err);

    if (status == FPX_OK) {
        const cli_file files[] = { { "the experiment", d->experiment, CLI_READS },
                                   { "the experiment's corpus", e->data.corpus, CLI_READS },
                                   { "--page", d->page, CLI_HTML } };
        status = cli_check_files(files, sizeof files / sizeof files[0], err);
    }
    if (status == FPX_OK)
        status = fpx_recipe_load(e->recipe, &r, err);
    if (status == FPX_OK)
        status = fpx_model_build(e, r, 1, 0, 0, &d->model, err);
    for (size_t i = 0; status == FPX_OK && i < fpx_program_tensors(d->model->program); i++)
        d->bytes_a_trace +=
            e->steps * fpx_tensor_bytes(&fpx_program_tensor_at(d->model->program, i)->desc);
    if (status == FPX_OK)
        d->steps = e->steps;
    fpx_recipe_free(r);
    fpx_experiment_free(e);
    return status;
}

/* One traced run, with its line on the terminal. */
static fpx_status train(const demo *d, const char *label, const char *trace, const char *values,
                        const char *shadow, fpx_device *device, fpx_error *err)
{
    session_options o = session_defaults(d->experiment);
    const double start = seconds();
    fpx_step_result last = { 0 };
    fpx_status status;
    session s;

    o.trace = trace;
    o.values = values;
    o.shadow = shadow;
    o.injected = device;
    (void)printf("  %-34s ", label);
    (void)fflush(stdout);
    if ((status = session_open(&o, &s, err)) == FPX_OK) {
        fpx_error closing = { 0 };

        status = session_run(&s, 0, 1, &last, err);
        if (session_close(&s, &closing) != FPX_OK && status == FPX_OK) {
            *err = closing;
            status = closing.status;
        }
    }
    if (status == FPX_OK)
        (void)printf("%llu steps, last loss %.4f, %.1f s\n", (unsigned long long)d->steps,
                     last.loss, seconds() - start);
    else
        (void)printf("\n");
    if (status == FPX_OK && (fflush(stdout) != 0 || ferror(stdout)))
        return fpx_error_set(err, FPX_EIO, "cannot write to standard output: nobody reads on");
    return status;
}

static fpx_status train_faulty(demo *d, fpx_error *err)
{
    fpx_device *device = NULL;
    fpx_status status =
        fpx_fault_device(&fpx_accel_cpu, "", &d->planted.fault, &d->report, &device, err);

    if (status == FPX_OK)
        status = train(d, "on a device with a fault", d->faulty, "*", "local:cpu", device, err);
    fpx_device_close(device);
    return status;
}

/* The finder: a process of its own that gets traces and nothing else. */
static json_t *find(const demo *d, const char *a, const char *b, int *ret_code)
{
    const char *argv[8] = { "fpx", "diff", a };
    size_t n = 3;

    if (b != NULL)
        argv[n++] = b;
    argv[n++] = "--json";
    argv[n++] = d->json;
    *ret_code = scratch_run(argv, d->output);
    return json_load_file(d->json, 0, NULL);
}

static void print_output(const demo *d)
{
    FILE *f = fopen(d->output, "r");
    char line[1024];

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        (void)printf("    %s", line);
    if (f != NULL)
        (void)fclose(f);
}

static const char *text_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

/* Did the finder name exactly what was planted? Everything is compared: step, operation, tensor,
 * element, both bit patterns. */
static int is_planted(const demo *d, const json_t *found, const char *before, const char *after)
{
    const json_t *first = json_object_get(found, "first");
    const json_t *element = json_object_get(first, "element");

    return json_integer_value(json_object_get(first, "step")) ==
               (json_int_t)d->planted.fault.step &&
           strcmp(text_at(first, "operation"), d->planted.fault.op) == 0 &&
           strcmp(text_at(first, "tensor"), d->planted.tensor) == 0 && json_is_integer(element) &&
           json_integer_value(element) == (json_int_t)d->report.element &&
           strtoull(text_at(first, before), NULL, 16) == d->report.before &&
           strtoull(text_at(first, after), NULL, 16) == d->report.after;
}

/* Ctrl-C ends the finder as well: what it then has not said is no finding. */
static fpx_status stop_if_interrupted(fpx_error *err)
{
    return cli_interrupted()
               ? fpx_error_set(err, FPX_EINTERRUPTED, "interrupted: the finder has not ended")
               : FPX_OK;
}

/* Draws until the fault changes a bit, and heals where it is one that heals. */
static fpx_status plant(demo *d, fpx_error *err)
{
    for (uint32_t attempt = 0; attempt < 20; attempt++) {
        json_t *found;
        fpx_status status;
        int code, good;

        demo_fault_draw(d->model->program, d->steps, d->seed, attempt, &d->planted);
        scratch_remove(d->faulty);
        scratch_remove(d->segments);
        if ((status = train_faulty(d, err)) != FPX_OK)
            return status;
        if (d->report.changed == 0)
            continue;
        if (!d->planted.heals)
            return FPX_OK;
        found = find(d, d->healthy, d->faulty, &code);
        good = json_is_integer(json_object_get(found, "healed_at"));
        json_decref(found);
        if (good || (status = stop_if_interrupted(err)) != FPX_OK)
            return status;
    }
    return fpx_error_set(err, FPX_EINVAL, "seed %llu: 20 faults were drawn and none changes a bit",
                         (unsigned long long)d->seed);
}

static fpx_status write_page(const demo *d, fpx_error *err)
{
    const fpx_diff_policy exact = { 0 };
    fpx_report_input page = { .trace_name = "the healthy run",
                              .other_name = "the run on a device with a fault",
                              .title = "fpx demo" };
    fpx_shadow_finding finding;
    fpx_trace *a = NULL, *b = NULL;
    fpx_diff diff;
    fpx_status status = fpx_trace_open(d->healthy, &a, err);

    if (status == FPX_OK)
        status = fpx_trace_open(d->faulty, &b, err);
    if (status == FPX_OK)
        status = fpx_diff_traces(a, b, &exact, &diff, err);
    if (status == FPX_OK)
        status = fpx_diff_shadows(b, &finding, err);
    page.trace = a;
    page.other = b;
    page.diff = &diff;
    page.finding = &finding;
    page.finding_of = b;
    if (status == FPX_OK)
        status = fpx_report_html(d->page, &page, err);
    fpx_trace_free(a);
    fpx_trace_free(b);
    return status;
}

static void print_planted(const demo *d)
{
    const fpx_fault *f = &d->planted.fault;
    const uint32_t id = fpx_program_find_tensor(d->model->program, d->planted.tensor);
    const fpx_tensor *t = &fpx_program_tensor_at(d->model->program, id)->desc;
    const int digits = (t->format.bits + 3) / 4;

    (void)printf("\nWhat had been planted\n"
                 "    %s:\n"
                 "    step %llu, %s, %s, first changed element %llu: 0x%0*llx became 0x%0*llx\n",
                 d->planted.words, (unsigned long long)f->step, f->op, d->planted.tensor,
                 (unsigned long long)d->report.element, digits,
                 (unsigned long long)d->report.before, digits, (unsigned long long)d->report.after);
}

/* The three findings. Returns how many are right. */
static int show_findings(const demo *d)
{
    json_t *found;
    int code, right = 0;

    (void)printf("\n1. The finder gets two healthy traces\n");
    found = find(d, d->healthy, d->again, &code);
    print_output(d);
    right += code == EXIT_HOLDS;
    json_decref(found);
    (void)printf("\n2. The finder gets a healthy trace (A) and one of the faulty device (B)\n");
    found = find(d, d->healthy, d->faulty, &code);
    print_output(d);
    right += code == EXIT_FINDING && is_planted(d, found, "bits_a", "bits_b");
    json_decref(found);
    (void)printf("\n3. The finder gets the faulty device's trace alone: each operation had been\n"
                 "   run again on the cpu, where the same arithmetic must give the same bits\n");
    found = find(d, d->faulty, NULL, &code);
    print_output(d);
    right += code == EXIT_FINDING && is_planted(d, found, "bits_expected", "bits_got");
    json_decref(found);
    return right;
}

static fpx_status run_demo(demo *d, int keep, int *ret_right, fpx_error *err)
{
    fpx_status status;

    (void)printf(
        "fpx demo, seed %llu: %llu parameters learn English in FP8, three times the same run\n",
        (unsigned long long)d->seed, (unsigned long long)d->model->parameters);
    status = train(d, "healthy, shadowed in float64", d->healthy, "*", "local:fp64", NULL, err);
    if (status == FPX_OK)
        status = train(d, "healthy again", d->again, NULL, NULL, NULL, err);
    if (status == FPX_OK)
        status = plant(d, err);
    if (status == FPX_OK) {
        *ret_right = show_findings(d);
        status = stop_if_interrupted(err);
    }
    if (status == FPX_OK) {
        print_planted(d);
        status = write_page(d, err);
    }
    if (status != FPX_OK)
        return status;
    (void)printf("    %s\n\n", *ret_right == 3
                                   ? "named exactly, twice; and nothing where nothing was"
                                   : "NOT found as planted: this is a defect of fpx");
    (void)printf("the page         %s\n", d->page);
    if (keep)
        (void)printf("the traces       %s\n", d->folder);
    (void)printf(
        "again            fpx demo --seed %llu\n"
        "your own run     fpx train experiments/default.yaml --shadow both --trace run.h5\n"
        "                 fpx report run.h5 -o run.html\n",
        (unsigned long long)d->seed);
    return FPX_OK;
}

static void name_files(demo *d)
{
    (void)snprintf(d->healthy, sizeof d->healthy, "%s/healthy.h5", d->folder);
    (void)snprintf(d->again, sizeof d->again, "%s/again.h5", d->folder);
    (void)snprintf(d->faulty, sizeof d->faulty, "%s/faulty.h5", d->folder);
    (void)snprintf(d->segments, sizeof d->segments, "%s/faulty.h5.seg", d->folder);
    (void)snprintf(d->output, sizeof d->output, "%s/found.txt", d->folder);
    (void)snprintf(d->json, sizeof d->json, "%s/found.json", d->folder);
}

static int run(const cli_args *a)
{
    demo *d = calloc(1, sizeof *d);
    const int keep = a->option[OPT_KEEP] != NULL;
    fpx_error err = { 0 };
    int right = 0;
    fpx_status status;

    if (d == NULL)
        return EXIT_NO_VERDICT;
    d->seed = 1;
    d->page = a->option[OPT_PAGE] ? a->option[OPT_PAGE] : "fpx-demo.html";
    status = a->option[OPT_SEED]
                 ? cli_number("--seed", a->option[OPT_SEED], 0, UINT64_MAX, &d->seed, &err)
                 : FPX_OK;
    if (status == FPX_OK && strcmp(d->page, "-") == 0)
        status = fpx_error_set(&err, FPX_EINVAL, "--page -: name a file; standard output has text");
    cli_catch_interrupt();
    if (status == FPX_OK)
        status = find_experiment(d->experiment, &err);
    if (status == FPX_OK)
        status = look_ahead(d, &err);
    if (status == FPX_OK) /* two traces hold values; a tenth more for statistics and the rest */
        status = scratch_new(2 * d->bytes_a_trace + d->bytes_a_trace / 5, d->folder, &err);
    if (status == FPX_OK) {
        name_files(d);
        status = run_demo(d, keep, &right, &err);
        if (!keep)
            scratch_remove(d->folder);
    }
    fpx_model_free(d->model);
    free(d);
    if (status != FPX_OK)
        return cli_fail(&err);
    return right == 3 ? EXIT_HOLDS : EXIT_FINDING;
}

const cli_verb verb_demo = {
    "demo",
    "[OPTIONS]",
    "a planted fault, found and explained, in under a minute",
    "Trains a small language model in FP8 on real text, twice healthy and once with a fault that "
    "the\n"
    "seed draws; separate processes then find it, knowing nothing but the traces.\n"
    "Exit code 0: found exactly; 1: not.\n"
    "example: fpx demo --seed 7",
    options,
    0,
    0,
    run,
};
