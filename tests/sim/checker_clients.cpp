// The points that are about what clients were told.
#include "sim/checker.hpp"
#include "sim/plain_form.hpp"

#include <algorithm>
#include <set>

namespace dyad::sim {
namespace {

std::string name_of(const Stream& stream) {
    return stream.request.user_id + " " + stream.request.instance_id + " at node " +
           std::to_string(stream.process.node) + "." + std::to_string(stream.process.run);
}

std::string source_of(const LogEntry& entry) {
    const Result<EventView> view = decode_event(entry.event->texts);
    return view ? view->source_instance_id : std::string();
}

std::string shown(const LogEntry& entry, const Stream& stream) {
    return stream.request.dialect == core::Dialect::plain ? plain_form(*entry.event)
                                                          : entry.event->texts;
}

// Follows one stream and says where it is not a contiguous slice of the log.
class Follower {
  public:
    Follower(const Evidence& evidence, const Stream& stream, Violations& out)
        : evidence_(evidence), stream_(stream), out_(out) {}

    void follow() {
        for (const Stream::Item& item : stream_.items) {
            if (const auto* ready = std::get_if<Stream::Ready>(&item.what))
                start(ready->position, item.at_us);
            else if (const auto* reset = std::get_if<Stream::Reset>(&item.what))
                restart(reset->snapshot->position);
            else
                take(std::get<Stream::Events>(item.what), item.at_us);
            if (failed_) return;
        }
    }

  private:
    void fail(const std::string& text) {
        out_.push_back({3, name_of(stream_) + ": " + text});
        failed_ = true;
    }

    void start(const Position& position, std::int64_t at_us) {
        if (started_) return fail("it was made ready twice");
        started_ = true;
        started_epoch_ = position.epoch;
        const auto& resume = stream_.request.resume;
        must_reset_ =
            resume ? *resume != position && resume->offset != 0 : stream_.request.snapshot;
        if (resume && resume->offset == 0 && position.offset != 0) must_reset_ = true;
        if (resume && !must_reset_ && resume->offset != 0 && resume->epoch != epoch_due())
            return fail("it resumed in an epoch that is over");
        if (position.offset == 0 && position.epoch != epoch_of_next(at_us))
            return fail("its place before the first event is of another log than that event");
        next_ = position.offset + 1;
        hash_ = position.hash;
        known_ = position.offset != 0;
    }

    // That of the first event that came after `at_us`, if no restore did before it.
    Epoch epoch_of_next(std::int64_t at_us) const {
        const auto first = evidence_.all_events.find({stream_.request.user_id, 1});
        const LogEntry* next = nullptr;
        if (first != evidence_.all_events.end())
            for (const LogEntry* entry : first->second)
                if (entry->journaled_us >= at_us && entry->lost_us > at_us &&
                    (next == nullptr || entry->journaled_us < next->journaled_us))
                    next = entry;
        const bool same = next != nullptr && evidence_.last_restore_us(next->journaled_us) ==
                                                 evidence_.last_restore_us(stream_.attached_us);
        return same ? next->event->epoch : started_epoch_;
    }

    // The epoch that a restore gave the log before this stream; its resume position's where none.
    Epoch epoch_due() const {
        Epoch due = stream_.request.resume->epoch;
        const auto at = evidence_.history.epochs.find(stream_.request.user_id);
        if (at != evidence_.history.epochs.end())
            for (const auto& [time_us, epoch] : at->second)
                if (time_us <= stream_.attached_us) due = epoch;
        return due;
    }

    void restart(const Position& position) {
        must_reset_ = false;
        next_ = position.offset + 1;
        hash_ = position.hash;
        known_ = position.offset != 0;
    }

    void take(const Stream::Events& run, std::int64_t at_us) {
        if (!started_ || must_reset_) return fail("events came before the start that they follow");
        if (run.first < next_ || run.last < run.first)
            return fail("offset " + std::to_string(run.first) + " came where " +
                        std::to_string(next_) + " was due");
        const bool plain = stream_.request.dialect == core::Dialect::plain;
        if (run.first > next_ && !plain)
            return fail("offsets " + std::to_string(next_) + " to " +
                        std::to_string(run.first - 1) + " were skipped");
        auto text = run.texts.begin();
        for (; next_ <= run.last; ++next_) {
            const std::string* expected = text == run.texts.end() ? nullptr : &*text;
            const LogEntry* entry = entry_here(expected, at_us);
            if (entry == nullptr)
                return fail("offset " + std::to_string(next_) +
                            " was delivered with what the log never had there");
            hash_from(*entry);
            const Own own = plain ? own_of(*entry, at_us) : Own::no;
            const bool came = expected != nullptr && shown(*entry, stream_) == *expected;
            if (own == Own::certainly && came)
                return fail("its own write came back at " + std::to_string(next_));
            if (own != Own::no && !came) continue;
            if (expected == nullptr || shown(*entry, stream_) != *expected)
                return fail("offset " + std::to_string(next_) + " was left out");
            if (at_us < entry->journaled_us)
                out_.push_back({11, name_of(stream_) + ": offset " + std::to_string(next_) +
                                        " was delivered before it was durable"});
            ++text;
        }
        if (text != run.texts.end())
            fail("more was delivered than [" + std::to_string(run.first) + ", " +
                 std::to_string(run.last) + "]");
    }

    // Whether an event was written through this very connection, as far as can be known: an
    // operation that was sent several times may have been carried out by any of them.
    enum class Own : std::uint8_t { no, perhaps, certainly };
    Own own_of(const LogEntry& entry, std::int64_t at_us) const {
        const auto found = evidence_.operations.find(
            {stream_.request.user_id, entry.event->entries.front().operation_key});
        if (found == evidence_.operations.end()) return Own::no;
        const Operation& operation = *found->second;
        const auto here = [this](const Submission& one) { return one.stream == &stream_; };
        if (std::none_of(operation.submitted.begin(), operation.submitted.end(), here))
            return Own::no;
        if (operation.submitted.size() != 1 || operation.answers.size() != 1) return Own::perhaps;
        const auto* reply = std::get_if<Reply>(&operation.answers.front().result);
        const bool plainly =
            reply != nullptr && !reply->duplicate && operation.answers.front().at_us <= at_us;
        return plainly ? Own::certainly : Own::perhaps;
    }

    // The event that continues what was delivered before. Where two do (a restore took one away):
    // the one with this text, or else the one that was in the log then.
    const LogEntry* entry_here(const std::string* text, std::int64_t at_us) const {
        const auto found = evidence_.all_events.find({stream_.request.user_id, next_});
        if (found == evidence_.all_events.end()) return nullptr;
        const LogEntry* follows = nullptr;
        for (const LogEntry* entry : found->second) {
            if (known_ && !std::equal(hash_.begin(), hash_.end(), entry->event->prev_hash.begin()))
                continue;
            if (text != nullptr && shown(*entry, stream_) == *text) return entry;
            if (follows == nullptr || (entry->journaled_us <= at_us && at_us < entry->lost_us))
                follows = entry;
        }
        return follows;
    }

    void hash_from(const LogEntry& entry) {
        const Hash& hash = entry.event->entries.front().hash;
        std::copy_n(hash.begin(), hash_.size(), hash_.begin());
        known_ = true;
    }

    const Evidence& evidence_;
    const Stream& stream_;
    Violations& out_;
    bool started_ = false;
    Epoch started_epoch_ = 0;
    bool must_reset_ = false;
    bool failed_ = false;
    bool known_ = false;  // `hash_` is that of the event at next_ - 1
    Offset next_ = 0;
    std::array<std::uint8_t, 8> hash_{};
};

// The first mark "@user@" in `text` that is not of `user_id`; empty where there is none.
std::string foreign_mark(const std::string& text, const std::string& user_id) {
    for (std::size_t at = text.find('@'); at != std::string::npos;) {
        const std::size_t end = text.find('@', at + 1);
        if (end == std::string::npos) return {};
        const std::string mark = text.substr(at + 1, end - at - 1);
        if (mark != user_id) return mark;
        at = text.find('@', end + 1);
    }
    return {};
}

// State as it follows from the log, folded once more and by hand.
struct Folded {
    std::map<std::string, ContextPtr> live;
    std::map<std::string, ModeState> modes;
    std::map<std::string, Conflict> conflicts;
    std::map<std::string, Claim> claims;

    void add(const Change& change) {
        if (const auto* context = std::get_if<ContextChange>(&change)) {
            if (context->context->deleted)
                live.erase(context->context->key);
            else
                live[context->context->key] = context->context;
            for (const std::string& id : context->conflicts_closed)
                conflicts.erase(id);
            for (const Conflict& conflict : context->conflicts_opened)
                conflicts[conflict.id] = conflict;
        } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
            for (const std::string& id : mode->forgotten)
                modes.erase(id);
            modes[mode->state.instance_id] = mode->state;
        } else if (const auto* claim = std::get_if<ClaimChange>(&change)) {
            claims.erase(claim->claim.resource);
            if (claim->action == ClaimAction::granted || claim->action == ClaimAction::renewed)
                claims[claim->claim.resource] = claim->claim;
        }
    }
};

std::string text_of(const Context& context) {
    std::string text;
    write_context(text, context);
    return text;
}
std::string text_of(const ModeState& mode) {
    std::string text;
    write_mode(text, mode);
    return text;
}
std::string text_of(const Conflict& conflict) {
    std::string text;
    write_conflict(text, conflict);
    return text;
}

std::string text_of(const Claim& claim) {
    std::string text;
    write_claim(text, claim);
    return text;
}

std::string difference(const Folded& folded, const core::Snapshot& snapshot) {
    std::set<std::string> seen;
    for (const ContextPtr& context : snapshot.contexts) {
        const auto at = folded.live.find(context->key);
        if (at == folded.live.end()) return "it has " + context->key + ", the log has not";
        if (at->second != context && text_of(*at->second) != text_of(*context))
            return context->key + " is " + text_of(*context) + " and should be " +
                   text_of(*at->second);
        seen.insert(context->key);
    }
    for (const auto& [key, context] : folded.live)
        if (!seen.contains(key)) return key + " is missing";
    if (snapshot.modes.size() != folded.modes.size()) return "another number of modes";
    for (const ModeState& mode : snapshot.modes) {
        const auto at = folded.modes.find(mode.instance_id);
        if (at == folded.modes.end() || text_of(at->second) != text_of(mode))
            return "the mode of " + mode.instance_id + " is another";
    }
    if (snapshot.conflicts.size() != folded.conflicts.size()) return "another number of conflicts";
    for (const Conflict& conflict : snapshot.conflicts) {
        const auto at = folded.conflicts.find(conflict.id);
        if (at == folded.conflicts.end() || text_of(at->second) != text_of(conflict))
            return "conflict " + conflict.id + " is another";
    }
    if (snapshot.claims.size() != folded.claims.size()) return "another number of claims";
    for (const Claim& claim : snapshot.claims) {
        const auto at = folded.claims.find(claim.resource);
        if (at == folded.claims.end() || text_of(at->second) != text_of(claim))
            return "the claim on " + claim.resource + " is another";
    }
    return {};
}

// A picture of a user's memory that somebody was given.
struct Picture {
    std::string user_id;
    std::string who;
    Position position;
    const core::Snapshot* snapshot = nullptr;
    const Read* read = nullptr;
};

void compare(const Folded& folded, const Picture& picture, Violations& out) {
    std::string wrong;
    if (picture.snapshot != nullptr) {
        wrong = difference(folded, *picture.snapshot);
    } else {
        const auto at = folded.live.find(picture.read->key);
        const ContextPtr expected = at == folded.live.end() ? nullptr : at->second;
        const ContextPtr& given = picture.read->context;
        const bool alive = given && !given->deleted;
        if (alive != (expected != nullptr))
            wrong = picture.read->key + (alive ? " is there" : " is missing");
        else if (alive && text_of(*given) != text_of(*expected))
            wrong = picture.read->key + " is " + text_of(*given);
    }
    if (!wrong.empty())
        out.push_back({6, picture.who + " at offset " + std::to_string(picture.position.offset) +
                              ": " + wrong});
}

// The events from the log's beginning to `entry`, along their chain.
std::vector<const LogEntry*> branch_to(const Evidence& evidence, const std::string& user_id,
                                       const LogEntry* entry) {
    std::vector<const LogEntry*> branch;
    while (entry != nullptr) {
        branch.push_back(entry);
        const EventBatch& event = *entry->event;
        entry = event.first == 1 ? nullptr : evidence.at(user_id, event.first - 1, event.prev_hash);
    }
    std::reverse(branch.begin(), branch.end());
    return branch;
}

// The end of the log that everybody must have reached.
Offset due_offset(const Evidence& evidence, const std::string& user_id) {
    const auto at = evidence.final_logs.find(user_id);
    Offset due = 0;
    if (at != evidence.final_logs.end())
        for (const LogEntry* entry : at->second)
            if (entry->journaled_us <= evidence.history.quiet_us) due = entry->event->first;
    return due;
}

void check_replica(const Evidence& evidence, const Replica& replica, Violations& out) {
    const auto found = evidence.final_logs.find(replica.user_id);
    if (found == evidence.final_logs.end()) return;
    const std::vector<const LogEntry*>& log = found->second;
    const std::string who = replica.user_id + " " + replica.instance_id;
    Offset due = due_offset(evidence, replica.user_id);
    Folded folded;
    const bool plain = replica.dialect == core::Dialect::plain;
    for (const LogEntry* entry : log)
        if (entry->event->first <= replica.position.offset) folded.add(entry->change);
    if (may_be_private(evidence, replica.user_id, replica.instance_id)) return;
    if (plain) {
        while (due > replica.heard && source_of(*log[due - 1]) == replica.instance_id)
            --due;
        if (replica.heard < due)
            out.push_back({10, who + " heard of " + std::to_string(replica.heard) +
                                   ", the log ends at " + std::to_string(due)});
        return;
    }
    const Position& position = replica.position;
    const LogEntry* here = evidence.at(replica.user_id, position.offset, position.hash);
    if (position.offset < due)
        out.push_back({10, who + " is at " + std::to_string(position.offset) +
                               ", the log ends at " + std::to_string(due)});
    else if (position.offset != 0 && (here == nullptr || here->lost_us != kNever))
        out.push_back({10, who + " is at " + position.to_string() + ", which is none of the log"});
    else if (replica.complete) {
        std::map<std::string, std::pair<Version, std::string>> expected;
        for (const auto& [key, context] : folded.live)
            expected[key] = {context->version, context->data};
        if (expected != replica.contexts)
            out.push_back({10, who + " at " + std::to_string(position.offset) +
                                   " has other contexts than the log"});
    }
}

std::vector<Picture> pictures_of(const History& history) {
    std::vector<Picture> pictures;
    for (const Read& read : history.reads)
        pictures.push_back({read.user_id,
                            read.user_id + ", read at node " + std::to_string(read.process.node),
                            read.position, read.snapshot.get(), &read});
    for (const auto& stream : history.streams)
        for (const Stream::Item& item : stream->items)
            if (const auto* reset = std::get_if<Stream::Reset>(&item.what))
                pictures.push_back({stream->request.user_id, name_of(*stream),
                                    reset->snapshot->position, reset->snapshot.get(), nullptr});
    return pictures;
}

}  // namespace

void check_contiguous_deliveries(const Evidence& evidence, Violations& out) {
    for (const auto& stream : evidence.history.streams)
        Follower(evidence, *stream, out).follow();
}

void check_isolation(const Evidence& evidence, Violations& out) {
    const auto judge = [&](const std::string& text, const std::string& user_id,
                           const std::string& who) {
        const std::string mark = foreign_mark(text, user_id);
        if (!mark.empty()) out.push_back({4, who + " was given what belongs to " + mark});
    };
    for (const auto& stream : evidence.history.streams) {
        for (const Stream::Item& item : stream->items) {
            if (const auto* run = std::get_if<Stream::Events>(&item.what))
                for (const std::string& text : run->texts)
                    judge(text, stream->request.user_id, name_of(*stream));
            if (const auto* reset = std::get_if<Stream::Reset>(&item.what))
                for (const ContextPtr& context : reset->snapshot->contexts)
                    judge(context->data, stream->request.user_id, name_of(*stream));
        }
    }
    for (const Read& read : evidence.history.reads) {
        if (read.context) judge(read.context->data, read.user_id, read.user_id + ", a read");
        if (read.snapshot)
            for (const ContextPtr& context : read.snapshot->contexts)
                judge(context->data, read.user_id, read.user_id + ", a read");
    }
    for (const auto& [user_id, log] : evidence.final_logs)
        for (const LogEntry* entry : log)
            judge(entry->event->texts, user_id, "the log of " + user_id);
}

void check_state_is_fold(const Evidence& evidence, Violations& out) {
    std::map<std::string, std::map<Offset, std::vector<Picture>>> on_final;
    for (Picture& picture : pictures_of(evidence.history)) {
        const Position& position = picture.position;
        if (position.offset == 0) {
            compare({}, picture, out);
            continue;
        }
        const LogEntry* entry = evidence.at(picture.user_id, position.offset, position.hash);
        if (entry == nullptr) {
            out.push_back({6, picture.who + ": its position " + std::to_string(position.offset) +
                                  " is none of the log"});
        } else if (entry->lost_us == kNever) {
            on_final[picture.user_id][position.offset].push_back(std::move(picture));
        } else {
            Folded folded;
            for (const LogEntry* event : branch_to(evidence, picture.user_id, entry))
                folded.add(event->change);
            compare(folded, picture, out);
        }
    }
    for (const auto& [user_id, by_offset] : on_final) {
        Folded folded;
        for (const LogEntry* entry : evidence.final_logs.at(user_id)) {
            folded.add(entry->change);
            const auto at = by_offset.find(entry->event->first);
            if (at == by_offset.end()) continue;
            for (const Picture& picture : at->second)
                compare(folded, picture, out);
        }
    }
}

void check_convergence(const Evidence& evidence, Violations& out) {
    const History& history = evidence.history;
    for (const Operation& operation : history.operations)
        if (operation.awaited)
            out.push_back({10, operation.user_id + " " + operation.command.instance_id + "/" +
                                   operation.command.operation_id + " was never answered"});
    for (const Read& read : history.reads) {
        if (!read.final) continue;
        const Offset due = due_offset(evidence, read.user_id);
        if (read.position.offset < due)
            out.push_back({10, "node " + std::to_string(read.process.node) + " has " +
                                   read.user_id + " at " + std::to_string(read.position.offset) +
                                   ", the log ends at " + std::to_string(due)});
    }
    for (const Replica& replica : history.replicas)
        if (replica.connected) check_replica(evidence, replica, out);
}

}  // namespace dyad::sim
