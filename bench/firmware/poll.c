/* Twenty million reads of a status register. */
#include "start.h"
#define REGISTER(address) (*(volatile u32 *)(address))
#define COUNT 20000000

int main(void)
{
    u32 busy = 0;
    REGISTER(0x40004010) = 16;
    REGISTER(0x40004008) = 1;
    for (u32 i = 0; i < COUNT; i++)
        busy += REGISTER(0x40004004) & 1;
    put_number(busy);
    put_char('\n');
    return 0;
}
