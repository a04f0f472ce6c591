// The REST interface as the command line uses it: every answer either has a value, or a failure
// that can be shown and has an exit status.
//
// A write gets one idempotency key, unless its headers name one, and is sent again with it, with
// growing pauses, until the time is over, where the connection breaks or the server says that it
// can succeed later: it is applied once, however often it is sent. Threads: one owner.
#pragma once

#include "base/clock.hpp"
#include "cli/http_client.hpp"
#include "cli/invocation.hpp"
#include "cli/json_members.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::cli {

struct Failure {
    Exit exit = Exit::failed;
    std::string code;     // of errors.def; empty where nobody answered
    std::string message;  // what happened and what to do, one or two sentences
    json::Value problem;  // the server's problem document, or null
};

struct Answer : ClientResponse {
    json::Value value;  // of a JSON body
    std::optional<Failure> failure;

    explicit operator bool() const noexcept { return !failure; }
};

// What a client needs. Complains and gives nothing where a setting of it is wrong.
std::optional<Resolved> client_settings(const CommonOptions& common);

class RestClient {
  public:
    // Complains and gives nothing where a setting the client needs is wrong.
    static std::optional<RestClient> open(const CommonOptions& common);
    // Says nothing, and makes no user id.
    static std::optional<RestClient> open_quietly(const CommonOptions& common);
    // Requires: the settings' URL is one.
    RestClient(const Resolved& settings, const CommonOptions& common);
    // Of the same server, for another user and as another instance.
    RestClient as(std::string user, std::string instance) const;

    // `path` below /api/v1, without the slash in front, already encoded. Ends the process where
    // nobody reads standard output any more, for a client that was made by open().
    Answer get(const std::string& path);
    Answer write(const std::string& method, const std::string& path, const std::string& body,
                 Headers headers = {});
    // The first `limit` items of the list that `path` answers as its member `name`, over as many
    // pages as that takes: the last page's answer, with all of them in it. `place`: the parameter
    // that a page begins at.
    Answer get_list(const std::string& path, std::string_view name, std::int64_t limit,
                    std::string_view place = "before");
    // Outside of /api/v1: /metrics, /readyz. The body is not read as JSON.
    Answer get_plain(const std::string& target);
    // The same, with a body of JSON; as which instance is for `headers` to say.
    Answer post(const std::string& target, const std::string& body, Headers headers);
    // A long answer below /api/v1, piece by piece; asked for once.
    Answer stream(ClientRequest request);
    // What answers must be a server of ours before it is told anything, even for whom it is asked:
    // the first call of each client asks for the status, and says nothing else.
    Answer meet(bool for_reader);

    const Url& url() const noexcept { return url_; }
    // Nothing: the one that the server's own setting names.
    const std::optional<std::string>& user() const noexcept { return user_; }
    const CommonOptions& common() const noexcept { return common_; }
    bool json() const noexcept { return common_.json; }
    const std::string& instance() const noexcept { return common_.instance; }
    std::int64_t timeout_ms() const noexcept { return common_.timeout_s * 1000; }
    Failure unreachable(const Error& error) const;
    // Shows a good answer, as it came with --json, or else by `people`.
    Exit show(const Answer& answer, const std::function<void(const json::Value&)>& people) const;
    Exit report(const Failure& failure) const;

  private:
    ClientRequest request_below(const std::string& path) const;
    // Something else answers than a server of ours.
    Failure foreign(const Answer& answer) const;
    // Reads a JSON answer, or the problem document in it.
    void read(Answer& answer) const;
    Answer send(ClientRequest request, bool read_json);
    Answer send_to_ours(ClientRequest request, bool read_json);

    CommonOptions common_;
    Url url_;
    std::optional<std::string> user_;  // without one the server's own setting counts
    bool met_ = false;                 // and it is one of ours
    bool reached_ = false;             // a server was there once
    bool for_reader_ = false;          // what is read is for standard output
    SystemRandom random_;
    SystemClock clock_;
};

// The path with a query of what is not empty.
std::string with_query(std::string path,
                       const std::vector<std::pair<std::string_view, std::string>>& query);
// The path of a context, with what is behind it, and of an instance's mode. The query names them: a
// path cannot carry every id (`..`).
std::string context_path(const std::string& key, const std::string& behind = "");
std::string mode_path(const std::string& instance);

// Shows the failure on standard error (as JSON where that was asked for); its exit status.
Exit report(const CommonOptions& common, const Failure& failure);

}  // namespace dyad::cli
