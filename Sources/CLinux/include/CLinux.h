// The few Linux headers that Glibc's module leaves out.
#pragma once
#include <sys/sendfile.h>
#include "WorkerSpawn.h"
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/epoll.h>
#include <spawn.h>
#include <signal.h>
