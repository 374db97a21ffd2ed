/* results.c - results for programs: strict JSON, in a file that is written whole or not at all. */
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/report.h>

json_t *cli_json_number(double x)
{
    if (isnan(x))
        return json_string("NaN");
    if (isinf(x))
        return json_string(x > 0.0 ? "Infinity" : "-Infinity");
    return json_real(x);
}

/* A device's last words need not be UTF-8, which JSON is. */
json_t *cli_json_failure(const char *schema, int is_finding, const char *text)
{
    json_t *said = json_string(text);

    if (said == NULL) {
        char plain[sizeof((fpx_error *)NULL)->text];
        size_t n = 0;

        for (; text[n] != '\0' && n < sizeof plain - 1; n++)
            plain[n] = (char)((unsigned char)text[n] < 0x80 ? text[n] : '?');
        plain[n] = '\0';
        said = json_string(plain);
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "schema", schema, "status", "failed", "verdict",
                     is_finding ? "finding" : "none", "text", said);
}

static int is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

fpx_status cli_write_json(const char *path, json_t *root, fpx_error *err)
{
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    fpx_status status;

    json_decref(root);
    if (text == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    status = fpx_report_write(path, text, strlen(text), err);
    if (is_stdout(path)) {
        (void)putchar('\n');  /* main() asks whether standard output took it */
        (void)fflush(stdout); /* the text on standard error follows */
    }
    free(text);
    return status;
}

FILE *cli_text_stream(const char *json, const char *junit)
{
    return is_stdout(json) || is_stdout(junit) ? stderr : stdout;
}
