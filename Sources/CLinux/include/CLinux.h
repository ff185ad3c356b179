// The few Linux headers that Glibc's module leaves out.
#pragma once
#include "ParentDeath.h"
#include <sys/sendfile.h>
#include "WorkerSpawn.h"
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/epoll.h>
#include <spawn.h>
#include <signal.h>
#include <malloc.h>
#include <sys/socket.h>

// Declared by the C library for _GNU_SOURCE only: accept(2) with SOCK_CLOEXEC, so that no worker inherits a client.
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
