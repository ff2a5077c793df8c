#ifndef ASSAY_CURL_SETTERS_H
#define ASSAY_CURL_SETTERS_H

// libcurl's setters and getters are variadic, which Swift does not import: one typed function for each type of argument.
// The type must be the one that libcurl documents for the option; a wrong one is undefined behaviour.

#include <curl/curl.h>
#include <stddef.h>

typedef size_t (*assay_curl_data_callback)(char *data, size_t size, size_t count, void *context);
typedef int (*assay_curl_seek_callback)(void *context, curl_off_t offset, int origin);

CURLcode assay_curl_set_long(CURL *easy, CURLoption option, long value);
CURLcode assay_curl_set_off(CURL *easy, CURLoption option, curl_off_t value);
/// libcurl copies the string. NULL resets the option.
CURLcode assay_curl_set_string(CURL *easy, CURLoption option, const char *value);
/// libcurl copies the bytes.
CURLcode assay_curl_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t count);
/// The list must outlive the transfer.
CURLcode assay_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *list);
/// The pointer must outlive the transfer.
CURLcode assay_curl_set_pointer(CURL *easy, CURLoption option, void *pointer);
/// For the write, header and read functions.
CURLcode assay_curl_set_data_callback(CURL *easy, CURLoption option, assay_curl_data_callback callback);
CURLcode assay_curl_set_seek_callback(CURL *easy, assay_curl_seek_callback callback);

/// Called when the request is about to go over a connection that is there.
typedef int (*assay_curl_start_callback)(void *context, char *peer, char *own, int peer_port, int own_port);
CURLcode assay_curl_set_start_callback(CURL *easy, assay_curl_start_callback callback);
/// Has the kernel give a new connection up (ETIMEDOUT) when what was sent, or a keep-alive probe, is not acknowledged for so
/// long: TCP_USER_TIMEOUT of tcp(7). Without it a connection whose peer has vanished takes requests for many minutes.
CURLcode assay_curl_set_unacknowledged_limit(CURL *easy, unsigned seconds);

CURLcode assay_curl_get_long(CURL *easy, CURLINFO info, long *value);

CURLMcode assay_multi_set_long(CURLM *multi, CURLMoption option, long value);
/// The next transfer that is done: returns 1 and stores its handle and result, or returns 0.
int assay_multi_next_done(CURLM *multi, CURL **easy, CURLcode *result);

#endif
