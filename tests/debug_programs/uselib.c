#include <stdio.h>
#include <dlfcn.h>
extern int triple(int);
extern int library_calls;
int main(void)
{
    int a = triple(4);
    a += triple(a);
    puts("called");
    void *handle = dlopen("libplug.so", RTLD_NOW);
    int (*plugged)(int) = (int (*)(int))dlsym(handle, "plugged");
    a += plugged(a);
    printf("%d %d\n", a, library_calls);
    return 0;
}
