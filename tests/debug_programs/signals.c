#include <signal.h>
#include <stdio.h>
static volatile int seen;
__attribute__((noinline)) void inner(int number)
{
    seen += number;
}
static void handler(int number)
{
    inner(number);
    seen++;
}
__attribute__((noinline)) int work(int n)
{
    raise(n);
    return seen + n;
}
int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, 0);
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR2, &action, 0);
    printf("%d\n", work(SIGUSR1) + work(SIGUSR2));
    return 0;
}
