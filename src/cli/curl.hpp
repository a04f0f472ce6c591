// libcurl, loaded by the first client that needs it: it brings thirty other libraries, which a
// server would carry for nothing (4 MB, 3 ms at the start). Internal to the clients.
#pragma once

#include "base/result.hpp"
#include "cli/url.hpp"

#include <memory>
#include <string>

#include <curl/curl.h>

namespace dyad::cli {

// Ends the process, and says so, where libcurl is not installed. Threads: any.
void* curl_function(const char* name);
// A function of libcurl, as its header declares it.
#define DYAD_CURL(name) (reinterpret_cast<decltype(&::name)>(::dyad::cli::curl_function(#name)))

// A handle with what every connection of ours is set to.
class CurlHandle {
  public:
    // `target` is what stands behind the URL's prefix. `timeout_ms` is for the connection.
    CurlHandle(const Url& url, const std::string& target, std::int64_t timeout_ms);

    CURL* get() const noexcept { return easy_.get(); }
    template <class Value>
    void set(CURLoption option, Value value) {
        CHECK(DYAD_CURL(curl_easy_setopt)(easy_.get(), option, value) == CURLE_OK);
    }
    template <class Value>
    Value info(CURLINFO what) const {
        Value value{};
        DYAD_CURL(curl_easy_getinfo)(easy_.get(), what, &value);
        return value;
    }
    // A connection was made, whatever came of it.
    bool connected() const { return info<curl_off_t>(CURLINFO_CONNECT_TIME_T) > 0; }
    // Makes a connection and nothing else.
    Status connect();
    // What became of it, in words. Requires: `code` is a failure of this handle.
    Error error(CURLcode code) const;

  private:
    std::unique_ptr<CURL, void (*)(CURL*)> easy_;
    Url url_;
    std::unique_ptr<char[]> said_;  // by libcurl, of the last failure
};

}  // namespace dyad::cli
