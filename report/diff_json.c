/* diff_json.c - a verdict as JSON and as JUnit XML. Numbers that JSON cannot hold are strings. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/report.h>

#include "html_parts.h"
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

/* JSON is UTF-8; a name in a trace need not be, and then shows its ASCII part. */
static json_t *text_of(const char *text)
{
    json_t *s = json_string(text);
    char plain[FPX_TRACE_NAME];
    size_t n = 0;

    if (s != NULL)
        return s;
    for (; text[n] != '\0' && n < sizeof plain - 1; n++)
        plain[n] = (char)((unsigned char)text[n] < 0x80 ? text[n] : '?');
    plain[n] = '\0';
    return json_string(plain);
}

static const char *const outcomes[] = { "holds", "finding", "no verdict" };

static json_t *step_or_null(uint64_t step)
{
    return step == UINT64_MAX ? json_null() : json_integer((json_int_t)step);
}

static void set_record(json_t *o, uint64_t step, const fpx_trace_record *r)
{
    char shape[96];

    wording_shape(&r->desc, shape, sizeof shape);
    (void)json_object_set_new(o, "step", json_integer((json_int_t)step));
    (void)json_object_set_new(o, "operation", text_of(r->op));
    (void)json_object_set_new(o, "kind", text_of(r->kind));
    (void)json_object_set_new(o, "role", text_of(r->role));
    (void)json_object_set_new(o, "device", text_of(r->device));
    (void)json_object_set_new(o, "tensor", text_of(r->tensor));
    (void)json_object_set_new(o, "shape", json_string(shape));
}

static void set_element(json_t *o, const fpx_tensor *t, uint64_t element, const uint64_t *index)
{
    json_t *list = json_array();

    for (size_t d = 0; d < t->ndim; d++)
        (void)json_array_append_new(list, json_integer((json_int_t)index[d]));
    (void)json_object_set_new(o, "element", json_integer((json_int_t)element));
    (void)json_object_set_new(o, "index", list);
}

static void set_bits(json_t *o, const char *key, const fpx_format *format, uint64_t code)
{
    char text[32];

    wording_code(format, code, text, sizeof text);
    (void)json_object_set_new(o, key, json_string(text));
}

static json_t *place(const fpx_place_found *f)
{
    const fpx_tensor *t = &f->record.desc;
    json_t *o = json_object();

    set_record(o, f->step, &f->record);
    if (f->device_b[0] != '\0') { /* both have this record: "device" is A's */
        (void)json_object_set_new(o, "device_a", text_of(f->record.device));
        (void)json_object_set_new(o, "device_b", text_of(f->device_b));
    }
    if (f->has_values) {
        set_element(o, t, f->element, f->index);
        (void)json_object_set_new(o, "value_a", number(f->value_a));
        (void)json_object_set_new(o, "value_b", number(f->value_b));
        set_bits(o, "bits_a", &t->format, f->code_a);
        set_bits(o, "bits_b", &t->format, f->code_b);
        (void)json_object_set_new(o, "elements_differing", json_integer((json_int_t)f->differing));
    }
    return o;
}

/* Writes and releases root. */
static fpx_status write_root(const char *path, json_t *root, fpx_error *err)
{
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    fpx_status status;

    json_decref(root);
    if (text == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    status = fpx_report_write(path, text, strlen(text), err);
    if (strcmp(path, "-") == 0 && status == FPX_OK)
        (void)fputc('\n', stdout); /* lines of others may follow there */
    free(text);
    return status;
}

/* What each shadow judged and looked at, and what was in its sample. */
static json_t *shadows(const fpx_trace_layout *layout, const fpx_shadow_finding *finding)
{
    json_t *list = json_array();

    for (size_t m = 0; m < layout->nmodes; m++)
        (void)json_array_append_new(
            list,
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "shadow", text_of(layout->modes[m].name),
                      "results_seen", (json_int_t)finding->seen[m], "results",
                      (json_int_t)finding->steps * (json_int_t)finding->results, "steps_seen",
                      (json_int_t)finding->seen_steps[m], "judged",
                      (json_int_t)finding->mode_judged[m], "looked_at",
                      (json_int_t)finding->mode_looked_at[m]));
    return list;
}

fpx_status fpx_report_finding_json(const char *path, const fpx_trace_layout *layout,
                                   const fpx_shadow_finding *finding, fpx_error *err)
{
    const fpx_figure *f = &finding->figure;
    uint64_t expected, actual;
    json_t *root = json_pack(
        "{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "schema", "fpx.finding/1",
        "verdict", outcomes[fpx_finding_outcome(finding)], "found", finding->found, "findings",
        (json_int_t)finding->findings + (json_int_t)finding->nonfinite_results, "not_finite",
        (json_int_t)finding->nonfinite_results, "looked_at", (json_int_t)finding->looked_at,
        "unjudged", (json_int_t)finding->unjudged, "steps", (json_int_t)finding->steps,
        "planned_steps", (json_int_t)finding->planned, "judged", (json_int_t)finding->judged,
        "results",
        (json_int_t)finding->steps * (json_int_t)finding->results * (json_int_t)layout->nmodes);

    (void)json_object_set_new(root, "shadows", shadows(layout, finding));
    if (finding->unjudged > 0) {
        json_t *first = json_object();

        set_record(first, finding->unjudged_step, &finding->unjudged_record);
        (void)json_object_set_new(first, "expected", number(finding->unjudged_expected));
        (void)json_object_set_new(first, "got", number(finding->unjudged_actual));
        (void)json_object_set_new(root, "first_unjudged", first);
    }

    if (finding->found) {
        json_t *first = json_object();

        set_record(first, finding->step, &finding->record);
        if (finding->nonfinite == 0 || finding->has_element) {
            set_element(first, &finding->record.desc, (uint64_t)f->element, finding->index);
            (void)json_object_set_new(first, "got", number(f->actual));
        }
        if (finding->nonfinite > 0) {
            (void)json_object_set_new(first, "not_finite",
                                      json_integer((json_int_t)finding->nonfinite));
        } else {
            (void)json_object_set_new(first, "shadow", text_of(layout->modes[finding->mode].name));
            (void)json_object_set_new(first, "expected", number(f->expected));
            (void)json_object_set_new(first, "ratio_to_bound", number(f->ratio));
        }
        if (finding->nonfinite == 0 &&
            wording_codes(&finding->record.desc.format, f, &expected, &actual)) {
            set_bits(first, "bits_expected", &finding->record.desc.format, expected);
            set_bits(first, "bits_got", &finding->record.desc.format, actual);
        }
        (void)json_object_set_new(root, "first", first);
    }
    return write_root(path, root, err);
}

static json_t *named(const fpx_trace_record *r)
{
    char shape[96];

    wording_shape(&r->desc, shape, sizeof shape);
    return json_pack("{s:o, s:o, s:s}", "tensor", text_of(r->tensor), "operation", text_of(r->op),
                     "shape", shape);
}

static void set_runs(json_t *root, const fpx_diff *d)
{
    const fpx_unpaired *u = &d->unpaired;
    json_t *settings = json_array(), *programs = json_object();

    for (size_t i = 0; i < d->nsettings && i < FPX_DIFF_SETTINGS; i++)
        (void)json_array_append_new(
            settings, json_pack("{s:o, s:o, s:o}", "key", text_of(d->settings[i].key), "a",
                                text_of(d->settings[i].a), "b", text_of(d->settings[i].b)));
    (void)json_object_set_new(root, "outcome", json_string(outcomes[fpx_diff_outcome(d)]));
    (void)json_object_set_new(root, "settings_differing", json_integer((json_int_t)d->nsettings));
    (void)json_object_set_new(root, "settings", settings);
    (void)json_object_set_new(programs, "only_a", json_integer((json_int_t)u->only_a));
    (void)json_object_set_new(programs, "only_b", json_integer((json_int_t)u->only_b));
    (void)json_object_set_new(programs, "other_shape", json_integer((json_int_t)u->reshaped));
    if (u->only_a > 0)
        (void)json_object_set_new(programs, "first_only_a", named(&u->first_a));
    if (u->only_b > 0)
        (void)json_object_set_new(programs, "first_only_b", named(&u->first_b));
    if (u->reshaped > 0) {
        (void)json_object_set_new(programs, "first_other_shape_a", named(&u->reshaped_a));
        (void)json_object_set_new(programs, "first_other_shape_b", named(&u->reshaped_b));
    }
    (void)json_object_set_new(root, "unpaired", programs);
    (void)json_object_set_new(root, "planned_a", json_integer((json_int_t)d->planned_a));
    (void)json_object_set_new(root, "planned_b", json_integer((json_int_t)d->planned_b));
    for (int side = 0; side < 2; side++) {
        const fpx_nonfinite *n = side ? &d->nonfinite_b : &d->nonfinite_a;
        json_t *o = n->found ? named(&n->record) : json_null();

        if (n->found)
            (void)json_object_set_new(o, "step", json_integer((json_int_t)n->step));
        (void)json_object_set_new(root, side ? "not_finite_b" : "not_finite_a", o);
    }
}

fpx_status fpx_report_diff_json(const char *path, const fpx_diff *diff, fpx_error *err)
{
    json_t *root =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "schema", "fpx.diff/1", "verdict",
                  verdicts[diff->verdict], "steps_compared", (json_int_t)diff->steps_compared,
                  "tensors_compared", (json_int_t)diff->records_compared, "steps_a",
                  (json_int_t)diff->steps_a, "steps_b", (json_int_t)diff->steps_b);

    set_runs(root, diff);
    if (diff->verdict == FPX_DIFFERENT || diff->verdict == FPX_OTHER_LAYOUT)
        (void)json_object_set_new(root, "first", place(&diff->first));
    if (diff->verdict == FPX_DIFFERENT) {
        (void)json_object_set_new(root, "unpaired_before",
                                  json_integer((json_int_t)diff->unpaired_before));
        (void)json_object_set_new(root, "healed_at", step_or_null(diff->healed));
        (void)json_object_set_new(root, "loss_compared", json_boolean(diff->loss_compared));
        (void)json_object_set_new(root, "loss_bits_at", step_or_null(diff->loss_bits));
        (void)json_object_set_new(root, "loss_visible_at", step_or_null(diff->loss_visible));
        (void)json_object_set_new(root, "loss_noise", number(diff->loss_noise));
    }
    return write_root(path, root, err);
}

static fpx_status junit(const char *path, const char *suite, const char *name, const char *element,
                        const char *message, const char *text, fpx_error *err)
{
    char *page = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&page, &size);
    fpx_status status;
    int failed;

    if (f == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    (void)fprintf(f,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuites><testsuite name=\"fpx\" tests=\"1\" failures=\"%d\" errors=\"%d\">\n"
                  "<testcase classname=\"",
                  text != NULL && strcmp(element, "failure") == 0,
                  text != NULL && strcmp(element, "error") == 0);
    html_put(f, suite);
    (void)fputs("\" name=\"", f);
    html_put(f, name);
    (void)fputs("\">", f);
    if (text != NULL) {
        (void)fprintf(f, "<%s message=\"%s\">", element, message);
        html_put(f, text);
        (void)fprintf(f, "</%s>", element);
    }
    (void)fputs("</testcase>\n</testsuite></testsuites>\n", f);
    failed = ferror(f);
    failed |= fclose(f) != 0;
    status = failed ? fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path)
                    : fpx_report_write(path, page, size, err);
    free(page);
    return status;
}

fpx_status fpx_report_junit(const char *path, const char *suite, const char *name,
                            const char *failure, fpx_error *err)
{
    return junit(path, suite, name, "failure", "the bits differ", failure, err);
}

fpx_status fpx_report_junit_error(const char *path, const char *suite, const char *name,
                                  const char *text, fpx_error *err)
{
    return junit(path, suite, name, "error", "the run ended without a comparison", text, err);
}
