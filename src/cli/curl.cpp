#include "cli/curl.hpp"

#include "auth/authority.hpp"
#include "cli/terminal.hpp"

#include <cstdlib>

#include <dlfcn.h>

namespace dyad::cli {
namespace {

void* load() {
    void* const library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        complain("dyad-memory: libcurl is missing; on Debian: apt-get install libcurl4");
        std::exit(1);
    }
    const auto init =
        reinterpret_cast<decltype(&::curl_global_init)>(dlsym(library, "curl_global_init"));
    CHECK(init != nullptr && init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    return library;
}

const char* set_variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

void* curl_function(const char* name) {
    static void* const library = load();
    void* const function = dlsym(library, name);
    CHECK(function != nullptr);
    return function;
}

CurlHandle::CurlHandle(const Url& url, const std::string& target, std::int64_t timeout_ms)
    : easy_(DYAD_CURL(curl_easy_init)(), DYAD_CURL(curl_easy_cleanup)),
      url_(url),
      said_(new char[CURL_ERROR_SIZE]()) {
    CHECK(easy_ != nullptr);
    set(CURLOPT_ERRORBUFFER, said_.get());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // a name that is still being looked up is not waited for
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_PATH_AS_IS, 1L);  // a key may be two dots
    set(CURLOPT_USERAGENT, "dyad-memory/" DYAD_VERSION);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_ms));
    set(CURLOPT_URL, (url.text() + target).c_str());
    if (auth::is_loopback(url.host)) set(CURLOPT_PROXY, "");
    // The variables of the curl tool and of OpenSSL; the library does not read them by itself.
    const char* const bundle = set_variable("CURL_CA_BUNDLE");
    if (const char* const file = bundle != nullptr ? bundle : set_variable("SSL_CERT_FILE"))
        set(CURLOPT_CAINFO, file);
    if (const char* const folder = set_variable("SSL_CERT_DIR")) set(CURLOPT_CAPATH, folder);
}

Status CurlHandle::connect() {
    set(CURLOPT_CONNECT_ONLY, 1L);
    const CURLcode code = DYAD_CURL(curl_easy_perform)(get());
    return code == CURLE_OK ? Status(Done{}) : Status(error(code));
}

Error CurlHandle::error(CURLcode code) const {
    const std::string where = url_.text();
    const std::string why = said_[0] != '\0' ? said_.get() : DYAD_CURL(curl_easy_strerror)(code);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return fail(Errc::unavailable, "there is no address for the name " + url_.host);
    if (code == CURLE_COULDNT_RESOLVE_PROXY)
        return fail(Errc::unavailable, "the proxy of the environment has no address: " + why);
    if (code == CURLE_COULDNT_CONNECT)
        return fail(Errc::unavailable, "nothing answers at " + where);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return fail(Errc::timed_out, connected()
                                         ? "the server at " + where + " did not answer in time"
                                         : "nothing answers at " + where + " in time");
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return fail(Errc::unauthorized,
                    "the certificate of " + where + " is not trusted (" + why +
                        "); use the name it was made for, or name the file of its authority in "
                        "SSL_CERT_FILE");
    if (code == CURLE_SSL_CONNECT_ERROR)
        return fail(Errc::protocol_error, "what answers at " + where +
                                              " does not speak TLS as it should (" + why +
                                              "); without TLS it would be http://");
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        return fail(Errc::protocol_error, "what answers at " + where + " does not speak HTTP");
    return fail(Errc::outcome_unknown, "the connection to the server broke (" + why + ")");
}

}  // namespace dyad::cli
