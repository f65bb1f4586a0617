/* Two megabytes to a CMSDK UART: a status poll and a data write for each byte. */
#include "start.h"
#define REGISTER(address) (*(volatile u32 *)(address))
#define COUNT 2000000

int main(void)
{
    REGISTER(0x40004010) = 16;
    REGISTER(0x40004008) = 1;
    for (u32 i = 0; i < COUNT; i++) {
        while (REGISTER(0x40004004) & 1)
            ;
        REGISTER(0x40004000) = 'a' + i % 16;
    }
    put_number(COUNT);
    put_char('\n');
    return 0;
}
