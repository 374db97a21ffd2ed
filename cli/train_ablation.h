/* train_ablation.h - an ablation by one command. */
#ifndef CLI_TRAIN_ABLATION_H
#define CLI_TRAIN_ABLATION_H

/* Trains every arm of the file at every learning rate with every seed, keeps finished runs in `runs` (NULL:
 * runs/NAME.jsonl), and prints the table. json may be NULL. Returns an exit code: EXIT_HOLDS where the table
 * stands, whatever it says. */
int ablation_train(const char *path, const char *runs, const char *json);

#endif /* CLI_TRAIN_ABLATION_H */
