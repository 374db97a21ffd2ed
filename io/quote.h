/* quote.h - text from a file made fit for an error message. */
#ifndef IO_QUOTE_H
#define IO_QUOTE_H

#include <stddef.h>

/* Control characters become '?'; a text that needs more than room - 1 bytes is cut and ends in "...".
 * room: at least 8. */
void io_quote(const char *text, char *ret_quoted, size_t room);

#endif /* IO_QUOTE_H */
