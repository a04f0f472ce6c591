// A Call under way: what its handler says, written as its revision wants it.
//
// Lifetime: as long as its handler keeps it. Threads: the cell's.
#pragma once

#include "server/mcp/changes.hpp"
#include "server/mcp/era.hpp"
#include "server/mcp/reply.hpp"
#include "server/mcp/sessions.hpp"

#include <set>

namespace dyad::server::mcp {

// Who answers, as results say it.
inline constexpr std::string_view kServerInfo =
    R"({"name":"dyad-memory","title":"Dyad Distributed Memory","version":")" DYAD_VERSION R"("})";

struct Station;
// Calls may outlive the endpoints: the store keeps them until it goes.
using StationPtr = std::shared_ptr<Station>;

// What all endpoints of all cells have in common. Threads: any.
struct Switchboard {
    explicit Switchboard(std::function<std::string()> secret)
        : sealer(std::move(secret)), sessions(sealer) {}
    Sealer sealer;
    Sessions sessions;

    void add(const StationPtr& cell);
    void remove(const StationPtr& cell);  // before it goes
    // A notification to all listeners of all cells.
    void tell(const std::string& method);

  private:
    Mutex mutex_;
    std::vector<StationPtr> cells_ GUARDED_BY(mutex_);
};
// What the endpoints of one cell have in common.
struct Station {
    Node& node;
    std::shared_ptr<Switchboard> switchboard;
    Pulse pulse;
    Listeners listeners;
};

// What is answered beside what the handler says.
enum class Form : std::uint8_t { tool, read, prompt, page, completion };

struct CallSpec {
    Handler handler = nullptr;
    Form form = Form::tool;
    Era era = Era::modern;
    Request request;
    std::string arguments;
    std::string serial;          // of the session
    std::string progress_token;  // JSON; empty: nobody asks
    std::string log_level;       // empty: nobody asks
    std::string first_page;      // of a page: elements that come before those of the handler
    std::string name;            // of what is called
    std::vector<InputResponse> inputs;
    std::string state;
};

// How every result ends: that it is one, hints for caches, and who answers. Empty for revisions
// with sessions; otherwise it begins with a comma.
void write_tail(json::Writer& out, Era era, Form form);

class LiveCall final : public Call {
  public:
    // Runs the handler.
    static void start(StationPtr station, ReplyPtr reply, CallSpec spec);
    ~LiveCall() override;

    Node& node() override { return station_->node; }
    const Request& request() const override { return spec_.request; }
    const std::string& arguments() const override { return spec_.arguments; }
    const std::vector<InputResponse>& inputs() const override { return spec_.inputs; }
    const std::string& state() const override { return spec_.state; }

    void result(std::string structured) override;
    void content(std::string members) override;
    void failed(const Error& error, std::string structured) override;
    void refused(const Error& error) override { refuse({200, kInvalidParams, said(error), {}}); }
    void ask(std::vector<InputRequest> wanted, std::string state) override;
    void progress(double done, std::optional<double> total, std::string_view message) override;
    void notify(std::string_view method, std::string params) override;
    void on_cancel(std::function<void()> call) override { on_cancel_.push_back(std::move(call)); }

  private:
    LiveCall(StationPtr station, ReplyPtr reply, CallSpec spec)
        : station_(std::move(station)), reply_(std::move(reply)), spec_(std::move(spec)) {}

    static std::string said(const Error& error);
    // `write_members(out)`: of the result, each with a comma before it.
    template <class Write>
    void finish(std::size_t bytes, Write write_members);
    void refuse(const Refusal& refusal);
    void answer(int status, std::string text);
    void cancel();
    void cancel_with_client();
    // Errors: what the client cannot be asked.
    std::optional<Refusal> missing_capability(const std::vector<InputRequest>& wanted) const;
    void ask_by_result(const std::vector<InputRequest>& wanted, const std::string& state);
    void ask_by_requests(const std::vector<InputRequest>& wanted, std::string state);
    void take_input(const std::string& key, std::string result);
    void await_cancel();
    std::weak_ptr<LiveCall> weak() {
        return std::static_pointer_cast<LiveCall>(shared_from_this());
    }
    Sessions::Waiting waiting(std::function<void(LiveCall&, std::string)> call);

    StationPtr station_;
    ReplyPtr reply_;
    CallSpec spec_;
    bool over_ = false;
    double progress_ = -1;
    std::size_t asked_ = 0;          // questions to the client without an answer
    std::set<std::string> awaited_;  // keys in Sessions
    std::shared_ptr<Call> held_;     // itself, while its client is asked
    std::vector<std::function<void()>> on_cancel_;
};

// What the client answered to input requests. Requires: JSON of an object.
std::vector<InputResponse> read_inputs(std::string_view input_responses);
// Opens what a call was given as its state. Nothing where it is not this user's, of this call, or
// too old.
std::optional<std::string> open_state(Station& station, const CallSpec& spec,
                                      std::string_view sealed);

}  // namespace dyad::server::mcp
