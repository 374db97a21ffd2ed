/* quote.c - text from a file made fit for an error message: a terminal does not obey it, and a cut does not
 * split a character of UTF-8. */
#include "quote.h"

#include <string.h>

void io_quote(const char *text, char *ret_quoted, size_t room)
{
    static const char more[] = "...";
    size_t length = strlen(text);
    const int cut = length >= room;

    if (cut) {
        length = room - sizeof more;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) /* inside a character */
            length--;
    }
    for (size_t i = 0; i < length; i++)
        ret_quoted[i] = (char)((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
    memcpy(ret_quoted + length, cut ? more : "", cut ? sizeof more : 1);
}
