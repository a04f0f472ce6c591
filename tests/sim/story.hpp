// A history made by hand, for the tests of the checker: one node, one client, one user.
#pragma once

#include "sim/checker.hpp"
#include "sim/plain_form.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>

namespace dyad::sim {

inline constexpr const char* kUser = "u0";

// Writes a history event by event, as one node and one client would have made it.
class Story {
  public:
    Story() {
        head_ = {.epoch = 7, .offset = 0, .hash = genesis_hash(kUser, 7), .timestamp_ms = 0};
    }

    // Puts `data` under "k", acknowledges it and delivers it, all one after the other.
    void put(const std::string& data, std::optional<Version> expected = std::nullopt) {
        Operation operation;
        operation.user_id = kUser;
        operation.command.instance_id = "u0-i0";
        operation.command.operation_id = "op" + std::to_string(head_.offset + 1);
        operation.command.expected_version = expected;
        PutContext put;
        put.key = "k";
        put.data = data;
        put.force = !expected.has_value();
        operation.command.body = put;
        operation.submissions = 1;
        operation.invoked_us = tick();
        append(operation.command, data);
        operation.answers.push_back({{0, 1}, tick(), Reply{.position = head_.position()}});
        history.operations.push_back(std::move(operation));
    }
    // The event of a command, durable now.
    void append(const Command& command, const std::string& data) {
        auto next = std::make_shared<Context>();
        next->key = "k";
        next->data = data;
        next->version = ++version_;
        next->offset = head_.offset + 1;
        ContextChange change;
        change.previous_version = version_ - 1;
        change.context = next;
        context = next;
        append_change(command, Change(change), ++timestamp_ms);
    }
    void append_change(const Command& command, const Change& change, std::int64_t time_ms) {
        auto batch = std::make_shared<EventBatch>();
        const std::string text = encode_change(change);
        const std::string scope = scope_of(change);
        append_event(*batch, head_,
                     {.kind = kind_of(change),
                      .scope = scope,
                      .source_instance_id = command.instance_id,
                      .operation_id = command.operation_id,
                      .data = text,
                      .timestamp_ms = time_ms});
        history.logs[kUser].push_back({batch, change, tick(), kNever});
    }
    Stream& attach() {
        history.streams.push_back(std::make_unique<Stream>());
        Stream& stream = *history.streams.back();
        stream.request.user_id = kUser;
        stream.request.instance_id = "u0-i1";
        stream.request.dialect = core::Dialect::negotiated;
        stream.items.push_back({tick(), Stream::Ready{head_.position()}});
        return stream;
    }
    void deliver(Stream& stream, Offset offset) {
        const LogEntry& entry = history.logs[kUser].at(offset - 1);
        const bool plain = stream.request.dialect == core::Dialect::plain;
        stream.items.push_back(
            {tick(), Stream::Events{
                         offset, offset, {plain ? plain_form(*entry.event) : entry.event->texts}}});
    }
    Read& read() {
        Read read;
        read.user_id = kUser;
        read.started_us = tick();
        read.done_us = tick();
        read.position = head_.position();
        auto snapshot = std::make_shared<core::Snapshot>();
        snapshot->position = read.position;
        if (context) snapshot->contexts.push_back(context);
        read.snapshot = snapshot;
        history.reads.push_back(std::move(read));
        return history.reads.back();
    }
    LogEntry& entry(Offset offset) { return history.logs[kUser].at(offset - 1); }
    const LogHead& head() const { return head_; }
    std::int64_t tick() { return now_us_ += 10; }

    std::set<int> points() const {
        std::set<int> points;
        for (const Violation& violation : check(history))
            points.insert(violation.point);
        return points;
    }

    History history;
    ContextPtr context;
    std::int64_t timestamp_ms = 1'000;

  private:
    LogHead head_;
    Version version_ = 0;
    std::int64_t now_us_ = 0;
};

using Points = std::set<int>;

}  // namespace dyad::sim
