#include "server/mcp/live_call.hpp"

#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "model/json.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kLevels[] = {"debug", "info",     "notice", "warning",
                                        "error", "critical", "alert",  "emergency"};

std::size_t level_of(std::string_view name) {
    return static_cast<std::size_t>(std::find(std::begin(kLevels), std::end(kLevels), name) -
                                    std::begin(kLevels));
}

void write_texts(json::Writer& out, std::initializer_list<std::string_view> texts) {
    out.raw(",\"content\":").array(texts, [&](std::string_view text) {
        out.object("type", "text", "text", text);
    });
}

std::string state_purpose(const std::string& user) {
    return "state " + user;
}

// Of what is called: state that was given to it fits no other.
std::string digest_of(const CallSpec& spec) {
    constexpr std::string_view kEnd("\0", 1);
    return std::string(view(sha256({spec.request.method, kEnd, spec.name, kEnd, spec.arguments})));
}

InputResponse input_of(std::string key, std::string_view json) {
    InputResponse input{std::move(key), text_member(json, "action").value_or(""), {}};
    if (input.action.empty()) {  // of sampling and roots: the whole result
        input.action = "accept";
        input.content = json;
        return input;
    }
    const auto members = members_of(json);
    for (const auto& [name, value] : *members)
        if (name == "content") input.content = value;
    return input;
}

}  // namespace

void write_tail(json::Writer& out, Era era, Form form) {
    if (era == Era::legacy) return;
    if (form == Form::read || form == Form::page) out.raw(R"(,"ttlMs":0,"cacheScope":"private")");
    out.raw(R"(,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":)");
    out.raw(kServerInfo).raw("}");
}

std::vector<InputResponse> read_inputs(std::string_view input_responses) {
    std::vector<InputResponse> inputs;
    const auto members = members_of(input_responses);
    if (!members) return inputs;
    for (const auto& [key, value] : *members)
        if (value.starts_with('{')) inputs.push_back(input_of(key, value));
    return inputs;
}

std::optional<std::string> open_state(Station& station, const CallSpec& spec,
                                      std::string_view sealed) {
    const auto plain =
        station.switchboard->sealer.open(state_purpose(spec.request.principal.user), sealed);
    if (!plain) return std::nullopt;
    std::string_view rest = *plain;
    const auto expires_ms = take_le<std::int64_t>(rest);
    const std::string digest = digest_of(spec);
    if (!expires_ms || *expires_ms < station.node.clock().wall_ms() || !rest.starts_with(digest))
        return std::nullopt;
    return std::string(rest.substr(digest.size()));
}

void Switchboard::add(const StationPtr& cell) {
    const MutexLock held(mutex_);
    cells_.push_back(cell);
}

void Switchboard::remove(const StationPtr& cell) {
    const MutexLock held(mutex_);
    std::erase(cells_, cell);
}

void Switchboard::tell(const std::string& method) {
    const MutexLock held(mutex_);
    for (const StationPtr& cell : cells_)
        cell->node.post([cell, method] { cell->listeners.tell(method); });
}

void LiveCall::start(StationPtr station, ReplyPtr reply, CallSpec spec) {
    const std::shared_ptr<LiveCall> call(
        new LiveCall(std::move(station), std::move(reply), std::move(spec)));
    call->spec_.handler(*call);
    if (call->over_) return;
    call->reply_->watch();
    if (call->spec_.era == Era::modern)  // there, whoever goes does not want the answer
        call->cancel_with_client();
    else
        call->await_cancel();
    call->station_->pulse.add(call->reply_);
}

LiveCall::~LiveCall() {
    for (const std::string& key : awaited_)
        station_->switchboard->sessions.forget(key);
    if (!over_)  // a handler let go of it
        reply_->answer(
            500, error_text(spec_.request.id,
                            {500, kInternalError, "the call has ended without an answer", {}}));
}

std::string LiveCall::said(const Error& error) {
    return error.detail.empty() ? std::string(error_row(error.code).message) : error.detail;
}

void LiveCall::answer(int status, std::string text) {
    if (std::exchange(over_, true)) return;
    const auto held = std::move(held_);
    on_cancel_.clear();
    reply_->answer(status, std::move(text));
}

template <class Write>
void LiveCall::finish(std::size_t bytes, Write write_members) {
    constexpr std::size_t kAround = 384;
    answer(200, json::written(bytes + kAround, [&](json::Writer& out) {
               out.object([&] {
                   out.members("jsonrpc", "2.0", "id", json::Raw{spec_.request.id});
                   out.member("result").object([&] {
                       write_members(out);
                       write_tail(out, spec_.era, spec_.form);
                   });
               });
           }));
}

void LiveCall::refuse(const Refusal& refusal) {
    answer(refusal.http_status, error_text(spec_.request.id, refusal));
}

void LiveCall::result(std::string structured) {
    finish(structured.size() * 5 / 2, [&](json::Writer& out) {
        write_texts(out, {structured});
        out.member("structuredContent", json::Raw{structured});
    });
}

void LiveCall::content(std::string members) {
    constexpr std::string_view kBegin = "\"resources\":[";
    if (spec_.form == Form::page && !spec_.first_page.empty() && members.starts_with(kBegin)) {
        if (members[kBegin.size()] != ']') spec_.first_page += ",";
        members.insert(kBegin.size(), spec_.first_page);
    }
    finish(members.size(), [&](json::Writer& out) {
        if (!members.empty()) out.raw(",").raw(members);
    });
}

void LiveCall::failed(const Error& error, std::string structured) {
    // As text only: what it is structured like is said of results alone.
    const std::string text = std::string(error_row(error.code).name) + ": " + said(error);
    if (spec_.form == Form::tool)
        return finish(text.size() + structured.size(), [&](json::Writer& out) {
            structured.empty() ? write_texts(out, {text}) : write_texts(out, {text, structured});
            out.member("isError", true);
        });
    const ErrorRow& row = error_row(error.code);
    Refusal refusal{200, row.http_status >= 500 ? kInternalError : kInvalidParams, text, {}};
    if (spec_.form == Form::read && error.code == Errc::not_found) {
        if (spec_.era == Era::legacy) refusal.code = kResourceNotFound;
        refusal.data = spec_.arguments;
    }
    refuse(refusal);
}

void LiveCall::progress(double done, std::optional<double> total, std::string_view message) {
    if (over_ || spec_.progress_token.empty() || done <= progress_) return;
    progress_ = done;
    reply_->say(request_text("notifications/progress", json::written(128, [&](json::Writer& out) {
                                 out.object([&] {
                                     out.members("progressToken", json::Raw{spec_.progress_token},
                                                 "progress", done);
                                     if (total) out.member("total", *total);
                                     if (!message.empty()) out.member("message", message);
                                 });
                             })));
}

void LiveCall::notify(std::string_view method, std::string params) {
    if (over_) return;
    if (method.ends_with("/list_changed")) return station_->switchboard->tell(std::string(method));
    if (spec_.era == Era::modern &&
        (spec_.log_level.empty() ||
         level_of(text_member(params, "level").value_or("")) < level_of(spec_.log_level)))
        return;
    reply_->say(request_text(method, params));
}

void LiveCall::cancel_with_client() {
    reply_->on_gone([weak = weak()] {
        if (const auto self = weak.lock()) self->cancel();
    });
}

void LiveCall::cancel() {
    if (std::exchange(over_, true)) return;
    const auto self = shared_from_this();
    held_.reset();
    for (const auto& call : std::exchange(on_cancel_, {}))
        call();
    reply_->answer(200, {});
}

Sessions::Waiting LiveCall::waiting(std::function<void(LiveCall&, std::string)> call) {
    return {[&node = node()](std::function<void()> work) { node.post(std::move(work)); },
            [weak = weak(), call = std::move(call)](std::string what) {
                if (const auto self = weak.lock()) call(*self, std::move(what));
            }};
}

void LiveCall::await_cancel() {
    // As params have it, in which it is named; what they cannot hold is never named.
    const auto id = json::canonicalize(spec_.request.id);
    if (!id) return;
    const std::string key = *awaited_.insert("cancel " + spec_.serial + " " + *id).first;
    station_->switchboard->sessions.wait(
        key, waiting([](LiveCall& self, const std::string&) { self.cancel(); }));
}

std::optional<Refusal> LiveCall::missing_capability(const std::vector<InputRequest>& wanted) const {
    const ClientCapabilities& can = spec_.request.capabilities;
    for (const InputRequest& one : wanted) {
        std::string lacks;
        if (one.method == "elicitation/create") {
            const bool by_url = text_member(one.params, "mode") == "url";
            if (!(by_url ? can.elicitation_url : can.elicitation_form))
                lacks = by_url ? R"({"elicitation":{"url":{}}})" : R"({"elicitation":{}})";
        } else if (one.method == "sampling/createMessage" && !can.sampling) {
            lacks = R"({"sampling":{}})";
        } else if (one.method == "roots/list" && !can.roots) {
            lacks = R"({"roots":{}})";
        }
        if (!lacks.empty())
            return Refusal{spec_.era == Era::modern ? 400 : 200,
                           spec_.era == Era::modern ? kMissingCapability : kInvalidParams,
                           "the call must ask its client for " + one.method +
                               ", a capability that the client did not declare",
                           "{\"requiredCapabilities\":" + lacks + "}"};
    }
    return std::nullopt;
}

void LiveCall::ask(std::vector<InputRequest> wanted, std::string state) {
    if (over_) return;
    if (const auto missing = missing_capability(wanted)) return refuse(*missing);
    if (spec_.era == Era::modern) return ask_by_result(wanted, state);
    if (!reply_->may_stream())
        return refuse({200,
                       kInvalidRequest,
                       "Accept: must take text/event-stream, since the call must ask its client",
                       {}});
    ask_by_requests(wanted, std::move(state));
}

void LiveCall::ask_by_result(const std::vector<InputRequest>& wanted, const std::string& state) {
    std::string plain;
    put_le<std::int64_t>(plain, station_->node.clock().wall_ms() + limits::mcp_state_ms);
    plain.append(digest_of(spec_)).append(state);
    const std::string sealed =
        station_->switchboard->sealer.seal(state_purpose(spec_.request.principal.user), plain);
    std::string body = json::written(512, [&](json::Writer& out) {
        out.raw("{\"inputRequests\":{");
        for (const InputRequest& one : wanted) {
            if (&one != wanted.data()) out.raw(",");
            out.string(one.key).raw(":").object("method", one.method, "params",
                                                json::Raw{one.params});
        }
        out.raw("},\"requestState\":").string(sealed).raw(",\"resultType\":\"input_required\"");
        out.raw(",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":").raw(kServerInfo).raw("}}");
    });
    answer(200, result_text(spec_.request.id, body));
}

void LiveCall::ask_by_requests(const std::vector<InputRequest>& wanted, std::string state) {
    spec_.inputs.clear();
    spec_.state = std::move(state);
    asked_ = wanted.size();
    held_ = shared_from_this();
    cancel_with_client();  // nobody else could be told of the answer
    for (const InputRequest& one : wanted) {
        const std::string id = "\"" + station_->node.random().uuid4() + "\"";
        const std::string key = *awaited_.insert("answer " + spec_.serial + " " + id).first;
        station_->switchboard->sessions.wait(
            key, waiting([name = one.key](LiveCall& self, std::string result) {
                self.take_input(name, std::move(result));
            }));
        reply_->say(request_text(one.method, one.params, id));
    }
}

void LiveCall::take_input(const std::string& key, std::string result) {
    if (over_ || asked_ == 0) return;
    // An error of the client: nobody has answered.
    if (result.starts_with('{'))
        spec_.inputs.push_back(input_of(key, result));
    else
        spec_.inputs.push_back({key, "cancel", {}});
    if (--asked_ == 0) spec_.handler(*this);
}

}  // namespace dyad::server::mcp
