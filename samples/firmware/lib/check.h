/* Self-checking samples: one line per check, hooks for exceptions, and recovery from faults. */
#pragma once
#include "firmware.h"

/* Prints "ok NAME", or "FAIL NAME got G want W". */
void check(const char *name, uint32_t got, uint32_t want);
void check_text(const char *name, const char *got, const char *want);

bool all_good(void); /* no check has failed so far */

/* Prints "PASS" or "FAIL: N of M"; returns the exit code. */
int verdict(void);

/* Handlers of exceptions whose vector is not defined elsewhere, by exception number. */
typedef void hook(struct frame *frame, uint32_t exc_return);
extern hook *hooks[16 + IRQS];

/* The last exception that ended a trial; number 0: none did. */
struct fault {
    uint32_t number, exc_return, cfsr, hfsr, mmfar, bfar;
    struct frame frame;
};
extern struct fault fault;

/* Runs `action` in privileged Thread mode on the main stack. An exception without a hook ends it: fault status registers are kept
   in `fault`, then cleared; masks, CONTROL and the stack are as before. Not for faults inside another handler: that one would
   stay active. */
void trial(void (*action)(void));
void clear_fault_status(void);

/* A text that handlers add letters to, to show who ran in which order. */
extern char order[32];
void order_clear(void);
void mark(char letter);
