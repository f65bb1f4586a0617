/* A library with thread-local variables: one more than the loader has reserved room for goes through the vector. */
__thread int library_own = 40;
__thread char library_large[8192];

int use_own(int n)
{
    library_own += n;
    library_large[n] = (char)n;
    return library_own;
}
