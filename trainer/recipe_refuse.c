/* recipe_refuse.c - where a refused rule stands. */
#include "recipe_refuse.h"

#include <stdarg.h>
#include <stdio.h>

fpx_status recipe_refuse(const fpx_recipe *recipe, const char *list, unsigned index, fpx_error *err,
                         const char *format, ...)
{
    const size_t line = fpx_recipe_line(recipe, list, index);
    char what[768], place[32] = "";
    va_list values;

    va_start(values, format);
    (void)vsnprintf(what, sizeof what, format, values);
    va_end(values);
    if (line > 0)
        (void)snprintf(place, sizeof place, ", line %zu", line);
    return fpx_error_set(err, FPX_EINVAL, "recipe %s%s, %s %u: %s", recipe->name, place, list,
                         index + 1, what);
}
