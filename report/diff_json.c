/* diff_json.c - a verdict as JSON and as JUnit XML. Numbers that JSON cannot hold are strings. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fpx/report.h>

#include "wording.h"

static const char *const verdicts[] = { "same", "different", "other_layout", "shorter" };

static json_t *number(double x)
{
    if (isnan(x))
        return json_string("NaN");
    if (isinf(x))
        return json_string(x > 0.0 ? "Infinity" : "-Infinity");
    return json_real(x);
}

static json_t *step_or_null(uint64_t step)
{
    return step == UINT64_MAX ? json_null() : json_integer((json_int_t)step);
}

static json_t *place(const fpx_place_found *f)
{
    json_t *o = json_object(), *index = json_array();
    char a[32], b[32], shape[96];

    wording_shape(&f->record.desc, shape, sizeof shape);
    (void)json_object_set_new(o, "step", json_integer((json_int_t)f->step));
    (void)json_object_set_new(o, "operation", json_string(f->record.op));
    (void)json_object_set_new(o, "kind", json_string(f->record.kind));
    (void)json_object_set_new(o, "role", json_string(f->record.role));
    (void)json_object_set_new(o, "device", json_string(f->record.device));
    (void)json_object_set_new(o, "tensor", json_string(f->record.tensor));
    (void)json_object_set_new(o, "shape", json_string(shape));
    if (f->has_values) {
        wording_code(&f->record.desc.format, f->code_a, a, sizeof a);
        wording_code(&f->record.desc.format, f->code_b, b, sizeof b);
        for (size_t d = 0; d < f->record.desc.ndim; d++)
            (void)json_array_append_new(index, json_integer((json_int_t)f->index[d]));
        (void)json_object_set_new(o, "element", json_integer((json_int_t)f->element));
        (void)json_object_set(o, "index", index);
        (void)json_object_set_new(o, "value_a", number(f->value_a));
        (void)json_object_set_new(o, "value_b", number(f->value_b));
        (void)json_object_set_new(o, "bits_a", json_string(a));
        (void)json_object_set_new(o, "bits_b", json_string(b));
        (void)json_object_set_new(o, "elements_differing", json_integer((json_int_t)f->differing));
    }
    json_decref(index);
    return o;
}

fpx_status fpx_report_diff_json(const char *path, const fpx_diff *diff, fpx_error *err)
{
    json_t *root =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "schema", "fpx.diff/1", "verdict",
                  verdicts[diff->verdict], "steps_compared", (json_int_t)diff->steps_compared,
                  "tensors_compared", (json_int_t)diff->records_compared, "steps_a",
                  (json_int_t)diff->steps_a, "steps_b", (json_int_t)diff->steps_b);
    int failed;

    if (diff->verdict == FPX_DIFFERENT || diff->verdict == FPX_OTHER_LAYOUT)
        (void)json_object_set_new(root, "first", place(&diff->first));
    if (diff->verdict == FPX_DIFFERENT) {
        (void)json_object_set_new(root, "healed_at", step_or_null(diff->healed));
        (void)json_object_set_new(root, "loss_bits_at", step_or_null(diff->loss_bits));
        (void)json_object_set_new(root, "loss_visible_at", step_or_null(diff->loss_visible));
        (void)json_object_set_new(root, "loss_noise", number(diff->loss_noise));
    }
    failed = strcmp(path, "-") == 0 ? json_dumpf(root, stdout, JSON_INDENT(2))
                                    : json_dump_file(root, path, JSON_INDENT(2));
    if (!failed && strcmp(path, "-") == 0)
        failed = fputc('\n', stdout) == EOF;
    json_decref(root);
    return failed ? fpx_error_set(err, FPX_EIO, "%s: cannot write the JSON result", path) : FPX_OK;
}

static void put_escaped(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", f);
            break;
        case '<':
            (void)fputs("&lt;", f);
            break;
        case '>':
            (void)fputs("&gt;", f);
            break;
        case '"':
            (void)fputs("&quot;", f);
            break;
        default:
            (void)fputc((unsigned char)*text >= 32 || *text == '\n' ? *text : ' ', f);
        }
    }
}

fpx_status fpx_report_junit(const char *path, const char *suite, const char *name,
                            const char *failure, fpx_error *err)
{
    FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    int failed;

    if (f == NULL)
        return fpx_error_set(err, FPX_EIO, "%s: cannot write the JUnit result", path);
    (void)fprintf(f,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuites><testsuite name=\"fpx\" tests=\"1\" failures=\"%d\" errors=\"0\">\n"
                  "<testcase classname=\"%s\" name=\"",
                  failure != NULL, suite);
    put_escaped(f, name);
    (void)fputs("\">", f);
    if (failure != NULL) {
        (void)fputs("<failure message=\"the bits differ\">", f);
        put_escaped(f, failure);
        (void)fputs("</failure>", f);
    }
    (void)fputs("</testcase>\n</testsuite></testsuites>\n", f);
    failed = fflush(f) != 0 || ferror(f);
    if (f != stdout)
        failed = fclose(f) != 0 || failed;
    return failed ? fpx_error_set(err, FPX_EIO, "%s: cannot write the JUnit result", path) : FPX_OK;
}
