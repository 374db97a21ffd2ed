/* fpx/settings.h - what two experiments say otherwise, setting by setting, from their YAML texts. */
#ifndef FPX_SETTINGS_H
#define FPX_SETTINGS_H

#include <stddef.h>

#include <fpx/digest.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_SETTING_KEY = 96, FPX_SETTING_VALUE = 64 };

/* The texts of one run, as a trace holds them; NULL is "". overrides: top-level keys that take the place of
 * the experiment's. Of YAML only what experiments use is taken apart: block mappings and lists, flow mappings
 * on one line; anything else is compared line by line. Comments, and where a recipe's facts come from
 * (`source`), are no settings. */
typedef struct fpx_settings {
    const char *experiment, *overrides, *recipe;
} fpx_settings;

/* One that differs: "optimizer.learning_rate", "recipe.rules[2].format". Values are cut to fit; "": it is
 * not there. */
typedef struct fpx_setting {
    char key[FPX_SETTING_KEY];
    char a[FPX_SETTING_VALUE], b[FPX_SETTING_VALUE];
} fpx_setting;

/* Returns how many differ; the first `room` of them, a's in order, then those that only b has, in ret. */
size_t fpx_settings_differ(const fpx_settings *a, const fpx_settings *b, fpx_setting *ret,
                           size_t room);

/* 1, and the value of one setting, cut to fit, in ret: what the run had, not what was overridden; 0: it has none. */
int fpx_settings_find(const fpx_settings *settings, const char *key,
                      char ret_value[FPX_SETTING_VALUE]);

/* A digest of all settings in order, equal where keys and values are: starting with that of no bytes, for
 * each setting the digest list of (digest so far, digest of the key's bytes, of the value's). */
fpx_digest fpx_settings_digest(const fpx_settings *settings);

#ifdef __cplusplus
}
#endif

#endif /* FPX_SETTINGS_H */
