/* html.c - the page as a whole, built in memory and written whole or not at all. It is XML as well as HTML,
 * so that any XML parser can check it. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "html_parts.h"

static void put_title(FILE *f, const fpx_report_input *in)
{
    if (in->title != NULL) {
        html_put(f, in->title);
        return;
    }
    html_put_name(f, in->trace_name, "A run");
    if (in->other != NULL) {
        (void)fputs(" and ", f);
        html_put_name(f, in->other_name, "another");
    }
}

static void put_page(FILE *f, const html_data *d)
{
    (void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                "<meta name=\"generator\" content=\"fpx\"/>\n<title>",
                f);
    put_title(f, d->in);
    (void)fputs("</title>\n<style>\n", f);
    for (const char *const *rule = html_style; *rule != NULL; rule++)
        (void)fprintf(f, "%s\n", *rule);
    (void)fputs("</style></head>\n<body><main>\n<header><p class=\"soft\">fpx report</p><h1>", f);
    put_title(f, d->in);
    (void)fputs("</h1></header>\n", f);
    html_put_verdict(f, d);
    html_put_places(f, d);
    html_put_curves(f, d);
    html_put_growth(f, d);
    html_put_heat(f, d);
    html_put_top(f, d);
    html_put_runs(f, d);
    (void)fputs("</main></body></html>\n", f);
}

static fpx_status render(const html_data *data, char **ret_page, size_t *ret_size)
{
    char *page = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&page, &size);
    int failed;

    if (f == NULL)
        return FPX_ENOMEM;
    put_page(f, data);
    failed = ferror(f) != 0;
    failed |= fclose(f) != 0;
    if (failed) {
        free(page);
        return FPX_ENOMEM;
    }
    *ret_page = page;
    *ret_size = size;
    return FPX_OK;
}

fpx_status fpx_report_html(const char *path, const fpx_report_input *input, fpx_error *err)
{
    html_data data;
    char *page;
    size_t size;
    /* Numbers in SVG have a point, whatever the caller's locale. */
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    const locale_t callers = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    fpx_status status = html_data_read(input, &data, err);

    if (status == FPX_OK) {
        status = render(&data, &page, &size);
        html_data_free(&data);
        if (status == FPX_OK) {
            status = fpx_report_write(path, page, size, err);
            free(page);
        } else {
            (void)fpx_error_set(err, status, "%s: out of memory", path);
        }
    }
    if (plain != (locale_t)0) {
        (void)uselocale(callers);
        freelocale(plain);
    }
    return status;
}
