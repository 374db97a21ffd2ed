/* header_test.c - one public header, alone, as C17 or C++17; twice, because a guard that does not
 * work shows only then. */
#include FPX_HEADER
#include FPX_HEADER

int main(void)
{
    return 0;
}
