/* shadow_spec.c - what a shadow is asked to be: as text, by name, and what its executor must keep for it. */
#include <stdio.h>
#include <string.h>

#include <fpx/exec.h>
#include <fpx/mma.h>
#include <fpx/shadow.h>

static const char *const mode_names[] = { "local", "operand", "free", "local" };

void fpx_shadow_name(const fpx_shadow_spec *spec, char ret_name[FPX_SHADOW_NAME])
{
    (void)snprintf(ret_name, FPX_SHADOW_NAME, "%s:%s", mode_names[spec->mode],
                   spec->mode != FPX_SHADOW_EQUAL ? spec->format.name
                   : spec->unit[0] != '\0'        ? spec->unit
                                                  : "cpu");
}

static fpx_status parse_unit(const char *text, const char *unit, fpx_shadow_spec *ret_spec,
                             size_t *ret_count, fpx_error *err)
{
    fpx_shadow_spec spec = { .mode = FPX_SHADOW_EQUAL };
    fpx_error why = { 0 };
    fpx_mma_preset preset;

    if (strlen(unit) >= sizeof spec.unit)
        return fpx_error_set(err, FPX_EINVAL,
                             "shadow '%s': a unit's text has at most %d characters", text,
                             FPX_UNIT_MAX - 1);
    if (fpx_mma_preset_parse(unit, &preset, &why) != FPX_OK)
        return fpx_error_set(err, FPX_EINVAL, "shadow '%s': %s", text, why.text);
    memcpy(spec.unit, unit, strlen(unit));
    *ret_spec = spec;
    *ret_count = 1;
    return FPX_OK;
}

fpx_status fpx_shadow_parse(const char *text, fpx_shadow_spec ret_specs[FPX_SHADOW_MAX],
                            size_t *ret_count, fpx_error *err)
{
    static const struct {
        const char *name;
        size_t count;
        uint32_t modes[2];
    } words[] = { { "local", 1, { FPX_SHADOW_LOCAL } },
                  { "operand", 1, { FPX_SHADOW_OPERAND } },
                  { "free", 1, { FPX_SHADOW_FREE } },
                  { "both", 2, { FPX_SHADOW_LOCAL, FPX_SHADOW_FREE } } };
    const char *colon = strchr(text, ':');
    const size_t length = colon ? (size_t)(colon - text) : strlen(text);
    const char *in = colon ? colon + 1 : "fp64";

    if (strcmp(text, "local:cpu") == 0) {
        ret_specs[0] = (fpx_shadow_spec){ .mode = FPX_SHADOW_EQUAL };
        *ret_count = 1;
        return FPX_OK;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strncmp(text, words[i].name, length) != 0 || words[i].name[length] != '\0')
            continue;
        if (words[i].count == 1 && words[i].modes[0] == FPX_SHADOW_LOCAL && strchr(in, '/') != NULL)
            return parse_unit(text, in, ret_specs, ret_count, err);
        if (strcmp(in, "fp32") != 0 && strcmp(in, "fp64") != 0)
            break;
        for (size_t m = 0; m < words[i].count; m++)
            ret_specs[m] =
                (fpx_shadow_spec){ .mode = words[i].modes[m],
                                   .format = strcmp(in, "fp32") == 0 ? fpx_fp32 : fpx_fp64 };
        *ret_count = words[i].count;
        return FPX_OK;
    }
    return fpx_error_set(
        err, FPX_EINVAL,
        "shadow '%s': expected local, operand, free or both, with :fp32 or :fp64 after "
        "it, or local:cpu, or local:UNIT (fpx models lists matrix units)",
        text);
}

unsigned fpx_shadow_keep(const fpx_shadow_spec *spec)
{
    return FPX_KEEP_INPUTS | (spec->mode == FPX_SHADOW_OPERAND ? FPX_KEEP_UNQUANTIZED : 0u);
}
