/* CRC-32 by table, one byte a step: loads, shifts and exclusive or in one chain. */
#include "start.h"
#define SIZE 65536
#define ROUNDS 1500
static u8 data[SIZE];
static u32 table[256];

int main(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[i] = c;
    }
    for (u32 i = 0; i < SIZE; i++)
        data[i] = random_word() >> 24;
    u32 crc = 0xffffffffu;
    for (int round = 0; round < ROUNDS; round++)
        for (u32 i = 0; i < SIZE; i++)
            crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    put_hex(~crc, 8);
    put_char('\n');
    return 0;
}
