/* System calls: getpid in a loop. */
#include "start.h"
#define ROUNDS 500000

int main(void)
{
    u32 same = 0;
    long first = system_call(SYS_GETPID, 0, 0, 0);
    for (u32 i = 0; i < ROUNDS; i++)
        same += system_call(SYS_GETPID, 0, 0, 0) == first;
    put_number(same);
    put_char('\n');
    return 0;
}
