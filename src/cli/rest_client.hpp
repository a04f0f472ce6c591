// The REST interface as the command line uses it: every answer either has a value, or a failure
// that can be shown and has an exit status.
//
// A write gets one idempotency key and is sent again with it, with growing pauses, until the time
// is over, where the connection breaks or the server says that it can succeed later: it is applied
// once, however often it is sent. Threads: one owner.
#pragma once

#include "base/clock.hpp"
#include "cli/http_client.hpp"
#include "cli/invocation.hpp"
#include "model/json.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct Failure {
    Exit exit = Exit::failed;
    std::string code;     // of errors.def; empty where nobody answered
    std::string message;  // what happened and what to do, one or two sentences
    json::Value problem;  // the server's problem document, or null
};

struct Answer {
    int status = 0;
    Headers headers;
    std::string body;
    json::Value value;  // of a JSON body
    std::optional<Failure> failure;

    explicit operator bool() const noexcept { return !failure; }
};

class RestClient {
  public:
    // Complains and gives nothing where a setting the client needs is wrong.
    static std::optional<RestClient> open(const CommonOptions& common);
    // Says nothing, and makes no user id.
    static std::optional<RestClient> open_quietly(const CommonOptions& common,
                                                  std::int64_t timeout_ms);
    RestClient(Url url, std::optional<std::string> user, std::string instance,
               std::int64_t timeout_ms);

    // `path` below /api/v1, without the slash in front, already encoded. Ends the process where
    // nobody reads standard output any more, for a client that was made by open().
    Answer get(const std::string& path);
    Answer write(const std::string& method, const std::string& path, const std::string& body,
                 Headers headers = {});
    // A long answer of this type, piece by piece, as http_stream has it.
    Answer stream(const std::string& path, std::string_view content_type,
                  const std::function<bool(std::string_view)>& on_body);
    // What answers must be a server of ours before it is told anything, even for whom it is asked:
    // the first call of each client asks for the status, and says nothing else.
    Answer meet(bool for_reader);
    // Outside of /api/v1: /metrics, /readyz. The body is not read as JSON.
    Answer get_plain(const std::string& target);

    const Url& url() const noexcept { return url_; }
    const std::string& instance() const noexcept { return instance_; }
    const std::optional<std::string>& user() const noexcept { return user_; }
    std::int64_t timeout_ms() const noexcept { return timeout_ms_; }
    // Who asks, and for whom.
    Headers identity() const;
    Failure unreachable(const Error& error) const;
    // Reads a JSON answer, or the problem document in it.
    void read_answer(Answer& answer) const;

  private:
    // Requires: settings that a client can use.
    static RestClient of(const Resolved& settings, const CommonOptions& common,
                         std::int64_t timeout_ms);
    // Something else answers than a server of ours.
    Failure foreign(const Answer& answer) const;
    Answer send(ClientRequest request, bool read_json);
    Answer send_to_ours(ClientRequest request, bool read_json);

    Url url_;
    std::optional<std::string> user_;  // without one the server's own setting counts
    std::string instance_;
    std::int64_t timeout_ms_;
    bool met_ = false;         // and it is one of ours
    bool reached_ = false;     // a server was there once
    bool for_reader_ = false;  // what is read is for standard output
    SystemRandom random_;
    SystemClock clock_;
};

// The newest `limit` items of the list that `path` answers as its member `name`, over as many pages
// as that takes: the last page's answer, with all of them in it.
Answer get_list(RestClient& client, const std::string& path, std::string_view name,
                std::int64_t limit);

// The path of a context, with what is behind it, and of an instance's mode. The query names them: a
// path cannot carry every id (`..`).
std::string context_path(const std::string& key, const std::string& behind = "");
std::string mode_path(const std::string& instance);

// "cli-<host>-<user>".
std::string default_instance();

// Shows the failure on standard error (as JSON where that was asked for); its exit status.
int report(const CommonOptions& common, const Failure& failure);
// Prints the value as one line of JSON.
void print_json(const json::Value& value);
// Several lines, two spaces a level, for people.
std::string pretty(const json::Value& value);

// Members of JSON values that may be of any shape.
const json::Value& member(const json::Value& value, std::string_view name);    // null if absent
std::string text_member(const json::Value& value, std::string_view name);      // "" if no string
std::int64_t integer_member(const json::Value& value, std::string_view name);  // 0 if none
bool is_true(const json::Value& value, std::string_view name);
const boost::json::array& array_member(const json::Value& value, std::string_view name);

// Reads a value of any size that a server may send.
Result<json::Value> parse_large(std::string_view text);

}  // namespace dyad::cli
