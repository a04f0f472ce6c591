// memory_changes: what came after a position, or, where nothing did, what comes within a while.
#include "base/limits.hpp"
#include "base/overloaded.hpp"
#include "model/json_lexer.hpp"
#include "model/time_text.hpp"
#include "server/log_place.hpp"
#include "server/mcp/product/arguments.hpp"
#include "server/mcp/product/changes_page.hpp"
#include "server/mcp/product/tools.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

void write_event(json::Writer& out, const EventView& event, const Change& change, bool values) {
    const auto provenance = [&] {
        out.member("provenance")
            .object("written_by", event.source_instance_id, "written_at",
                    write_time(event.timestamp_ms));
    };
    out.object([&] {
        out.members("offset", event.offset, "kind", event.kind);
        std::visit(Overloaded{
                       [&](const ContextChange& c) {
                           out.members("action", c.action, "previous_version", c.previous_version);
                           write_members(out, *c.context, values);
                           if (!c.conflicts_opened.empty())
                               out.member("conflicts_opened", c.conflicts_opened.size());
                       },
                       [&](const ModeChange& c) {
                           write_mode_members(out, c.state);
                           provenance();
                       },
                       [&](const ResponseChange& c) {
                           out.members("chat_id", c.record.chat_id, "message_id",
                                       c.record.message_id, "provider", c.record.final.provider,
                                       "model", c.record.final.model);
                           provenance();
                       },
                       [&](const ClaimChange& c) {
                           out.member("action", c.action);
                           write_claim_members(out, c.claim);
                           provenance();
                       },
                       [&](const McpChange& c) {
                           out.member("payload", json::Raw{c.payload});
                           provenance();
                       },
                   },
                   change);
    });
}

struct ChangesArguments {
    std::optional<std::string> since, prefix;
    std::optional<std::int64_t> wait_seconds, limit;
    bool values = true;
};
constexpr json::MemberOf<ChangesArguments> kChanges[] = {
    {"since", take<&ChangesArguments::since>},
    {"wait_seconds", take<&ChangesArguments::wait_seconds>},
    {"prefix", take<&ChangesArguments::prefix>},
    {"values", take<&ChangesArguments::values>},
    {"limit", take<&ChangesArguments::limit>}};

Error gone() {
    return fail(Errc::history_gone,
                "since: this position is not in the log any more; read what you need with "
                "context_pack or memory_list, and go on from the position that comes with it");
}

// One call, from its first look into the log to its answer. While it waits it is a session of the
// heart, and hears of what is committed in the same turn.
// Lifetime: the timer's that ends the waiting, and that of what it has asked for.
class Changes final : public core::Peer, public std::enable_shared_from_this<Changes> {
  public:
    Changes(Call& call, ChangesPage::Wanted wanted, std::int64_t wait_ms)
        : call_(call.shared_from_this()), wanted_(std::move(wanted)), wait_ms_(wait_ms) {}

    void begin_at_the_end() {
        call_->node().engine().snapshot(
            call_->user(),
            call_->then([self = shared_from_this()](Call&, const SnapshotPtr& state) {
                self->page_.emplace(self->wanted_, state->position);
                self->answer_or_wait(false);
            }));
    }
    void begin_after(const Position& position) {
        page_.emplace(wanted_, position);
        read();
    }

    bool deliver(Offset, Offset, const std::vector<std::string_view>& pieces) override {
        if (over_) return false;
        for (const std::string_view piece : pieces) {
            json::Lexer texts(piece);  // with commas between them
            do {
                std::string_view text;
                CHECK(texts.raw(text));
                if (!take(text)) return false;
            } while (texts.take(','));
        }
        if (page_->empty()) return true;
        finish([text = page_->text(false)](Call& call) { call.result(text); });
        return false;
    }
    bool reset(std::shared_ptr<const core::Snapshot>) override {
        finish([](Call& call) { call.failed(gone()); });
        return false;
    }
    void close(Errc why) override {
        finish([why](Call& call) { call.failed(fail(why)); });
    }

  private:
    void read() {
        call_->node().store().read(
            call_->user(), page_->position().offset, limits::page_log_bytes_max,
            [self = shared_from_this()](const Result<LogSlice>& slice) {
                if (slice) return self->look_at(*slice);
                self->call_->failed(slice.error().code == Errc::history_gone ? gone()
                                                                             : slice.error());
            });
    }

    void look_at(const LogSlice& slice) {
        const Position start = page_->position();
        if (!server::is_of_this_log(start, slice)) return call_->failed(gone());
        page_->move_to(known_position(slice, start.offset).value_or(start));
        for (const EventBatchPtr& batch : slice.batches) {
            if (batch->empty() || batch->last() <= start.offset) continue;
            for (Offset at = std::max(batch->first, start.offset + 1); at <= batch->last(); ++at) {
                const Result<bool> taken = page_->add(batch->text(at));
                if (!taken) return call_->failed(taken.error());
                if (!*taken) return call_->result(page_->text(true));
                page_->move_to(position_at(batch->epoch, at, batch->entry(at).hash));
            }
        }
        const bool more = page_->position().offset < slice.head.offset;
        if (more && page_->empty()) return read();
        answer_or_wait(more);
    }

    void answer_or_wait(bool more) {
        Node& node = call_->node();
        const bool crowded = node.engine().session_count(call_->user()) >=
                             static_cast<std::size_t>(limits::sessions_per_user_max);
        if (!page_->empty() || more || wait_ms_ == 0 || crowded)
            return call_->result(page_->text(more));
        core::SessionRequest request;
        request.user_id = call_->user();
        request.listed = false;
        request.dialect = core::Dialect::negotiated;
        request.resume = page_->position();
        // The last word is the log's, for whom nothing is pushed (ENABLE_REAL_TIME_EVENTS).
        node.after(wait_ms_, [self = shared_from_this()] {
            self->finish([self](Call&) {
                self->wait_ms_ = 0;
                self->read();
            });
        });
        call_->on_cancel([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->finish([](Call&) {});
        });
        session_ = node.engine().attach(std::move(request), *this, [](Position) {});
    }

    // False: enough.
    bool take(std::string_view text) {
        const Result<EventView> event = decode_event(text);
        CHECK(event.has_value());
        const Result<bool> taken = page_->add(text);
        CHECK(taken.has_value());
        if (!*taken) {
            finish([answer = page_->text(true)](Call& call) { call.result(answer); });
            return false;
        }
        page_->move_to(position_of(page_->position().epoch, *event));
        return true;
    }

    // The heart may not be called from within: the session is taken from it in a turn of its own.
    void finish(std::function<void(Call&)> answer) {
        if (std::exchange(over_, true)) return;
        call_->node().after(0, [self = shared_from_this(), answer = std::move(answer)] {
            if (self->session_ != nullptr)
                self->call_->node().engine().detach(std::exchange(self->session_, nullptr));
            answer(*self->call_);
        });
    }

    std::shared_ptr<Call> call_;
    ChangesPage::Wanted wanted_;
    std::int64_t wait_ms_;
    std::optional<ChangesPage> page_;
    core::SessionId session_ = nullptr;
    bool over_ = false;
};

Status begin(Call& call) {
    ASSIGN_OR_RETURN(ChangesArguments wanted, (read_arguments<ChangesArguments, kChanges>(call)));
    ASSIGN_OR_RETURN(const std::size_t seconds,
                     within("wait_seconds", wanted.wait_seconds, 0, 0, limits::mcp_wait_s_max));
    ASSIGN_OR_RETURN(
        const std::size_t limit,
        within("limit", wanted.limit, limits::page_items_default, 1, limits::page_items_max));
    std::optional<Position> since;
    if (wanted.since) {
        const Result<Position> position = Position::parse(*wanted.since);
        if (!position)
            return fail(Errc::invalid_field, "since: must be the position of an earlier answer");
        since = *position;
    }
    const auto changes = std::make_shared<Changes>(
        call, ChangesPage::Wanted{std::move(wanted.prefix), wanted.values, limit},
        static_cast<std::int64_t>(seconds) * 1000);
    since ? changes->begin_after(*since) : changes->begin_at_the_end();
    return Done{};
}

}  // namespace

Result<bool> ChangesPage::add(std::string_view event_text) {
    ASSIGN_OR_RETURN(const EventView event, decode_event(event_text));
    if (wanted_.prefix && (event.kind != EventKind::context_changed ||
                           !event.scope.starts_with("ctx:" + *wanted_.prefix)))
        return true;
    if (count_ == wanted_.limit ||
        items_.size() >= static_cast<std::size_t>(limits::mcp_page_bytes_max))
        return false;
    ASSIGN_OR_RETURN(const Change change, decode_change(event));
    if (count_++ > 0) items_ += ',';
    json::Writer out(items_, event_text.size());
    write_event(out, event, change, wanted_.values);
    return true;
}

std::string ChangesPage::text(bool more) const {
    return json::written(items_.size() + 128, [&](json::Writer& out) {
        out.raw("{\"changes\":[").raw(items_).raw("]");
        out.members("position", position_.to_string(), "more", more).raw("}");
    });
}

void memory_changes(Call& call) {
    if (const Status begun = begin(call); !begun) call.failed(begun.error());
}

}  // namespace dyad::server::mcp
