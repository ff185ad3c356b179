// The part of libcurl that the command line uses, behind plain functions: curl_easy_setopt is variadic and Swift cannot
// call it. libcurl.so.4 is opened on first use, so a server or worker process never carries it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// One connection with keep-alive. Not safe to share between threads without a lock.
typedef struct ccurl_connection ccurl_connection;

/// What to send. Pointers are borrowed for the length of the call.
typedef struct {
    const char *method;
    const char *url;
    const char *const *headers;  // "Name: value", header_count of them
    size_t header_count;
    const uint8_t *body;         // null: none
    size_t body_count;
    const char *upload_path;     // not null: the body is this file, streamed
    int64_t connect_timeout_ms;
    int64_t total_timeout_ms;    // 0: no limit
    int64_t idle_timeout_s;      // 0: no limit; otherwise give up after so many seconds without a byte
} ccurl_request;

/// Where the answer goes. Each returns true to go on and false to stop the transfer; any of them may be null.
typedef struct {
    void *context;
    bool (*header)(void *context, const char *line, size_t count);
    bool (*body)(void *context, const uint8_t *bytes, size_t count);
    bool (*sent)(void *context, int64_t sent_bytes, int64_t total_bytes);
} ccurl_receiver;

typedef enum {
    CCURL_OK = 0,
    CCURL_UNREACHABLE,   // no connection: refused, unknown host, no route
    CCURL_TIMED_OUT,
    CCURL_INTERRUPTED,   // the connection ended in the middle of an answer
    CCURL_STOPPED,       // a receiver returned false
    CCURL_LOCAL_FILE,    // upload_path cannot be read
    CCURL_OTHER
} ccurl_outcome;

typedef struct {
    ccurl_outcome outcome;
    int64_t status;      // 0 when no status line arrived
    char message[256];   // libcurl's own words when outcome is not CCURL_OK
} ccurl_result;

/// Opens libcurl. Returns null, or why it cannot be used.
const char *ccurl_load(void);
/// libcurl's version line; null before a successful ccurl_load.
const char *ccurl_version_text(void);
/// Null when libcurl cannot be loaded or memory is short.
ccurl_connection *ccurl_connection_create(void);
void ccurl_connection_destroy(ccurl_connection *connection);
/// Runs one exchange on the calling thread until it ends.
ccurl_result ccurl_perform(
    ccurl_connection *connection, const ccurl_request *request, const ccurl_receiver *receiver);
