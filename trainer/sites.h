/* sites.h - which random stream draws what: a site is used for one purpose only, ever. */
#ifndef TRAINER_SITES_H
#define TRAINER_SITES_H

enum {
    SITE_DATA_ORDER = 1,
    SITE_SAMPLE = 2,
    SITE_INIT = 256 /* + index of the parameter among the parameters */
};

#endif /* TRAINER_SITES_H */
