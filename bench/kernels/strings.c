/* Work on text: length, compare, search, change of case, reversal, splitting into words. */
#include "start.h"
#define SIZE 30000
#define ROUNDS 1800
static char text[SIZE + 1], copy[SIZE + 1];

static u32 length(const char *s) { const char *at = s; while (*at) at++; return at - s; }

static int compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (u8)*a - (u8)*b;
}

static const char *search(const char *text, const char *part)
{
    for (; *text; text++) {
        u32 i = 0;
        while (part[i] && text[i] == part[i])
            i++;
        if (!part[i])
            return text;
    }
    return 0;
}

int main(void)
{
    u32 sum = 0;
    for (u32 i = 0; i < SIZE; i++) {
        u32 kind = random_word() >> 8;
        text[i] = kind % 6 ? 'a' + kind / 7 % 26 : ' ';
    }
    for (int round = 0; round < ROUNDS; round++) {
        u32 size = length(text), words = 0, inside = 0;
        for (u32 i = 0; i < size; i++) {
            copy[i] = text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i];
            words += text[i] != ' ' && !inside;
            inside = text[i] != ' ';
        }
        copy[size] = 0;
        for (u32 i = 0; i < size / 2; i++) {
            char kept = copy[i];
            copy[i] = copy[size - 1 - i];
            copy[size - 1 - i] = kept;
        }
        const char *found = search(text, "xemu run");
        sum = sum * 31 + words + (u32)compare(text, copy) + (found ? (u32)(found - text) : 7);
        text[round * 101 % SIZE] = 'a' + round % 26;
    }
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
