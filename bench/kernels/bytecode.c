/* An interpreter of a small stack machine: a switch in a loop, so one indirect branch per guest operation. */
#include "start.h"
enum { PUSH, LOAD, STORE, ADD, SUB, MUL, LESS, JUMP, JUMP_IF_ZERO, DUP, XOR, SHIFT, END };
static const i32 program[] = {
    /* i = 0, s = 1; while (i < n) { s = (s * 13 + i) ^ (s >> 7); i = i + 1 } */
    PUSH, 0, STORE, 0, PUSH, 1, STORE, 1,
    /* 8 */ LOAD, 0, PUSH, 3400000, LESS, JUMP_IF_ZERO, 43,
    LOAD, 1, DUP, PUSH, 13, MUL, LOAD, 0, ADD, STORE, 2, PUSH, 7, SHIFT, LOAD, 2, XOR, STORE, 1,
    LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 8,
    /* 43 */ END,
};

static i32 execute(const i32 *code)
{
    i32 stack[32], locals[4] = { 0 }, *top = stack;
    for (u32 at = 0;;) {
        switch (code[at++]) {
        case PUSH: *top++ = code[at++]; break;
        case LOAD: *top++ = locals[code[at++]]; break;
        case STORE: locals[code[at++]] = *--top; break;
        case ADD: top--; top[-1] = (u32)top[-1] + (u32)top[0]; break;
        case SUB: top--; top[-1] = (u32)top[-1] - (u32)top[0]; break;
        case MUL: top--; top[-1] = (u32)top[-1] * (u32)top[0]; break;
        case LESS: top--; top[-1] = top[-1] < top[0]; break;
        case XOR: top--; top[-1] ^= top[0]; break;
        case SHIFT: top--; top[-1] = (u32)top[-1] >> (top[0] & 31); break;
        case DUP: top[0] = top[-1]; top++; break;
        case JUMP: at = code[at]; break;
        case JUMP_IF_ZERO: at = *--top ? at + 1 : (u32)code[at]; break;
        default: return locals[1];
        }
    }
}

int main(void)
{
    put_hex((u32)execute(program), 8);
    put_char('\n');
    return 0;
}
