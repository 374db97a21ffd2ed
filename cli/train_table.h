/* train_table.h - recipes side by side over paired seeds. */
#ifndef CLI_TRAIN_TABLE_H
#define CLI_TRAIN_TABLE_H

/* Trains every recipe of the comma-separated list with seeds 1..N (same initial weights and data for
 * each seed), prints bits per byte, the mean difference to the first recipe with its spread, and a text
 * sample of each. steps and json may be NULL. Returns an exit code. */
int train_table(const char *experiment, const char *recipes, const char *seeds, const char *steps,
                const char *json);

#endif /* CLI_TRAIN_TABLE_H */
