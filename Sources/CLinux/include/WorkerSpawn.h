// Starting a process that inherits nothing but its three standard descriptors.
#pragma once
#include <sys/types.h>

// posix_spawn in a process group of its own, with default signal handling and an empty signal mask; every
// descriptor above 2 is closed in the child. Returns 0, or an errno.
int clinux_spawn(
    const char *path, char *const *arguments, char *const *environment, int input, int output, int errors,
    pid_t *process);

// waitid(P_PID, process, WEXITED | WNOWAIT): waits for the end and leaves the zombie, so that its number
// stays taken until the caller reaps it. Returns 0, or an errno.
int clinux_wait_without_reaping(pid_t process);

// Declared by the C library for _GNU_SOURCE only.
int pipe2(int descriptors[2], int flags);
