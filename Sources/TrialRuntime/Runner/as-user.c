/* as-user UID GID GROUP[,GROUP...] PROGRAM ARGUMENT...: becomes the user and runs the program. Static and without a C library, so that it runs in
   any image. It ends with 126 when it cannot become the user, and with 127 when it cannot run the program. */

#if defined(__x86_64__)
enum { SETGROUPS = 116, SETRESGID = 119, SETRESUID = 117, EXECVE = 59, EXIT = 60 };

static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall run\n");
#elif defined(__aarch64__)
enum { SETGROUPS = 159, SETRESGID = 149, SETRESUID = 147, EXECVE = 221, EXIT = 93 };

static long call(long number, long a, long b, long c) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

__asm__(".globl _start\n_start: mov x0, sp\nbl run\n");
#else
#error "this processor is not known"
#endif

enum { LARGEST_ID = 0x7FFFFFFE, GROUPS = 256 };

static void end(int code) {
    for (;;) call(EXIT, code, 0, 0);
}

/* Reads a number and moves behind it; -1 for what is none. */
static long number(const char **text) {
    long value = 0;
    const char *begin = *text;
    while (**text >= '0' && **text <= '9') {
        value = value * 10 + (*(*text)++ - '0');
        if (value > LARGEST_ID) return -1;
    }
    return *text == begin ? -1 : value;
}

static long whole(const char *text) {
    long value = number(&text);
    return *text ? -1 : value;
}

__attribute__((used)) void run(long *stack) {
    long count = stack[0];
    char **arguments = (char **)(stack + 1);
    char **environment = arguments + count + 1;
    unsigned groups[GROUPS];
    long size = 0;
    if (count < 5) end(126);
    long uid = whole(arguments[1]), gid = whole(arguments[2]);
    if (uid < 0 || gid < 0) end(126);
    for (const char *text = arguments[3]; *text;) {
        long group = number(&text);
        if (group < 0 || size == GROUPS) end(126);
        groups[size++] = (unsigned)group;
        if (*text == ',') text++;
        else if (*text) end(126);
    }
    if (call(SETGROUPS, size, (long)groups, 0) || call(SETRESGID, gid, gid, gid) || call(SETRESUID, uid, uid, uid)) end(126);
    call(EXECVE, (long)arguments[4], (long)(arguments + 4), (long)environment);
    end(127);
}
