/* mma_words.h - words of a list, apart by blanks. */
#ifndef FPX_MMA_WORDS_H
#define FPX_MMA_WORDS_H

#include <string.h>

/* 1 where the list has this word. */
static inline int mma_has_word(const char *list, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return 1;
    }
    return 0;
}

#endif /* FPX_MMA_WORDS_H */
