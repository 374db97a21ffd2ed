/* sites.h - which random stream draws what: a site is used for one purpose only, ever. */
#ifndef TRAINER_SITES_H
#define TRAINER_SITES_H

#include <stdint.h>

enum {
    SITE_DATA_ORDER = 1,
    SITE_SAMPLE = 2,
    SITE_INIT = 256 /* + index of the parameter among the parameters */
};
#define SITE_NAMED                                                                                 \
    (UINT64_C(1) << 63) /* this bit, and a hash of the quantizer's or dropout's name */

#endif /* TRAINER_SITES_H */
