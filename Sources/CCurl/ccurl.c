// libcurl through dlopen; see CCurl.h.
#define _GNU_SOURCE
#define CURL_DISABLE_TYPECHECK 1
#include "CCurl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct {
    CURLcode (*global_init)(long);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
    void (*easy_reset)(CURL *);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
    char *(*version)(void);
    char failure[256];
    bool ready;
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    if (!address) {
        snprintf(curl.failure, sizeof curl.failure, "libcurl.so.4 lacks %s", name);
        return false;
    }
    memcpy(function, &address, sizeof address);
    return true;
}

static void load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(curl.failure, sizeof curl.failure, "%s", reason ? reason : "libcurl.so.4 cannot be opened");
        return;
    }
    if (find(library, "curl_global_init", &curl.global_init) && find(library, "curl_easy_init", &curl.easy_init)
        && find(library, "curl_easy_cleanup", &curl.easy_cleanup) && find(library, "curl_easy_reset", &curl.easy_reset)
        && find(library, "curl_easy_setopt", &curl.easy_setopt)
        && find(library, "curl_easy_perform", &curl.easy_perform)
        && find(library, "curl_easy_getinfo", &curl.easy_getinfo)
        && find(library, "curl_easy_strerror", &curl.easy_strerror)
        && find(library, "curl_slist_append", &curl.slist_append)
        && find(library, "curl_slist_free_all", &curl.slist_free_all) && find(library, "curl_version", &curl.version)) {
        if (curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
            curl.ready = true;
        } else {
            snprintf(curl.failure, sizeof curl.failure, "curl_global_init failed");
        }
    }
}

const char *ccurl_load(void) {
    pthread_once(&once, load);
    return curl.ready ? NULL : curl.failure;
}

const char *ccurl_version_text(void) { return curl.ready ? curl.version() : NULL; }

struct ccurl_connection {
    CURL *easy;
};

ccurl_connection *ccurl_connection_create(void) {
    if (ccurl_load()) return NULL;
    ccurl_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->easy = curl.easy_init();
    if (!connection->easy) {
        free(connection);
        return NULL;
    }
    return connection;
}

void ccurl_connection_destroy(ccurl_connection *connection) {
    if (!connection) return;
    curl.easy_cleanup(connection->easy);
    free(connection);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context) {
    const ccurl_receiver *receiver = context;
    size_t total = size * count;
    if (receiver->header && !receiver->header(receiver->context, bytes, total)) return 0;
    return total;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    const ccurl_receiver *receiver = context;
    size_t total = size * count;
    if (receiver->body && !receiver->body(receiver->context, (const uint8_t *)bytes, total)) return 0;
    return total;
}

static int on_progress(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up) {
    (void)down_all;
    (void)down;
    const ccurl_receiver *receiver = context;
    return receiver->sent && up_all > 0 && !receiver->sent(receiver->context, up, up_all);
}

static ccurl_outcome outcome_of(CURLcode code) {
    switch (code) {
        case CURLE_OK: return CCURL_OK;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT: return CCURL_UNREACHABLE;
        case CURLE_OPERATION_TIMEDOUT: return CCURL_TIMED_OUT;
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR: return CCURL_INTERRUPTED;
        case CURLE_WRITE_ERROR:
        case CURLE_ABORTED_BY_CALLBACK: return CCURL_STOPPED;
        case CURLE_READ_ERROR: return CCURL_LOCAL_FILE;
        default: return CCURL_OTHER;
    }
}

/// The options that differ from one request to the next; false when one was refused.
static bool configure(
    CURL *easy, const ccurl_request *request, const ccurl_receiver *receiver, struct curl_slist *headers, FILE *upload) {
    CURLcode worst = CURLE_OK;
#define SET(option, value)                                              \
    do {                                                                \
        CURLcode code = curl.easy_setopt(easy, (option), (value));      \
        if (code != CURLE_OK) worst = code;                             \
    } while (0)
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms);
    if (request->idle_timeout_s > 0) {
        SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(CURLOPT_LOW_SPEED_TIME, (long)request->idle_timeout_s);
    }
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)receiver);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)receiver);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, (void *)receiver);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_HTTPHEADER, headers);
    if (upload) {
        struct stat status;
        if (fstat(fileno(upload), &status) != 0) return false;
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_READDATA, upload);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)status.st_size);
    } else if (request->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_count);
        SET(CURLOPT_POSTFIELDS, (const char *)request->body);
    }
    if (strcmp(request->method, "HEAD") == 0) SET(CURLOPT_NOBODY, 1L);
    SET(CURLOPT_CUSTOMREQUEST, request->method);
#undef SET
    return worst == CURLE_OK;
}

ccurl_result ccurl_perform(
    ccurl_connection *connection, const ccurl_request *request, const ccurl_receiver *receiver) {
    ccurl_result result = {.outcome = CCURL_OTHER, .status = 0, .message = ""};
    FILE *upload = NULL;
    if (request->upload_path) {
        upload = fopen(request->upload_path, "rb");
        if (!upload) {
            result.outcome = CCURL_LOCAL_FILE;
            snprintf(result.message, sizeof result.message, "%s cannot be opened", request->upload_path);
            return result;
        }
    }
    struct curl_slist *headers = NULL;
    bool complete = true;
    for (size_t i = 0; i < request->header_count && complete; i++) {
        struct curl_slist *longer = curl.slist_append(headers, request->headers[i]);
        if (longer) headers = longer;
        complete = longer != NULL;
    }
    CURL *easy = connection->easy;
    curl.easy_reset(easy);  // keeps the live connection
    char words[CURL_ERROR_SIZE] = "";
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
    if (complete && configure(easy, request, receiver, headers, upload)) {
        CURLcode code = curl.easy_perform(easy);
        long status = 0;
        curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        result.status = status;
        result.outcome = outcome_of(code);
        if (code != CURLE_OK) {
            snprintf(result.message, sizeof result.message, "%.255s", words[0] ? words : curl.easy_strerror(code));
        }
    } else {
        snprintf(result.message, sizeof result.message, "%.255s", words[0] ? words : "libcurl refused an option");
    }
    curl.easy_reset(easy);
    curl.slist_free_all(headers);
    if (upload) fclose(upload);
    return result;
}
