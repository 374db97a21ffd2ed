/* results.c - results for programs: strict JSON, in a file that is written whole or not at all. */
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <fpx/file.h>

json_t *cli_json_number(double x)
{
    if (isnan(x))
        return json_string("NaN");
    if (isinf(x))
        return json_string(x > 0.0 ? "Infinity" : "-Infinity");
    return json_real(x);
}

static int is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* A pipe to another program, /dev/null: nothing to replace. */
static int is_stream(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static fpx_status write_stream(const char *path, const char *text, fpx_error *err)
{
    FILE *f = fopen(path, "w");
    int failed = f == NULL || fputs(text, f) == EOF;

    failed |= f != NULL && fclose(f) != 0;
    return failed ? fpx_error_set(err, FPX_EIO, "%s: cannot write the JSON result", path) : FPX_OK;
}

fpx_status cli_write_json(const char *path, json_t *root, fpx_error *err)
{
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    fpx_status status = FPX_OK;

    json_decref(root);
    if (text == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    if (is_stdout(path))
        (void)puts(text); /* main() asks whether standard output took it */
    else if (is_stream(path))
        status = write_stream(path, text, err);
    else
        status = fpx_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

int cli_both_stdout(const char *json, const char *junit)
{
    return is_stdout(json) && is_stdout(junit);
}

FILE *cli_text_stream(const char *json, const char *junit)
{
    return is_stdout(json) || is_stdout(junit) ? stderr : stdout;
}
