// A handle of libcurl with what every connection of ours is set to. Internal to the clients.
#pragma once

#include "base/result.hpp"
#include "cli/curl_library.hpp"
#include "cli/url.hpp"

#include <memory>
#include <string>

namespace dyad::cli {

class CurlHandle {
  public:
    // `target` is what stands behind the URL's prefix. `timeout_ms` is for the connection.
    CurlHandle(const Url& url, const std::string& target, std::int64_t timeout_ms);

    CURL* get() const noexcept { return easy_.get(); }
    template <class Value>
    void set(CURLoption option, Value value) {
        CHECK(curl().easy_setopt(easy_.get(), option, value) == CURLE_OK);
    }
    // What became of it, in words. Requires: `code` is a failure of this handle.
    Error error(CURLcode code) const;
    // A connection was made, whatever came of it.
    bool connected() const;

  private:
    std::unique_ptr<CURL, decltype(CurlLibrary::easy_cleanup)> easy_;
    Url url_;
    std::unique_ptr<char[]> said_;  // by libcurl, of the last failure
};

}  // namespace dyad::cli
