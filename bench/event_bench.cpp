// event_bench: what the writing of one small event costs on the processor, part by part. One line
// of JSON for each: user instructions, where the kernel lets them be counted, and nanoseconds.
//
//     event_bench [--only PART] [--smoke]
#include "base/sha256.hpp"
#include "model/change.hpp"
#include "wire/frames.hpp"
#include "wire/plain_events.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dyad::bench {
namespace {

constexpr std::size_t kKeys = 16;

class Instructions {
  public:
    Instructions() {
        perf_event_attr wanted{};
        wanted.type = PERF_TYPE_HARDWARE;
        wanted.size = sizeof wanted;
        wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
        wanted.exclude_kernel = 1;
        wanted.exclude_hv = 1;
        file_ = static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
    }
    ~Instructions() {
        if (file_ >= 0) ::close(file_);
    }
    Instructions(const Instructions&) = delete;
    Instructions& operator=(const Instructions&) = delete;

    std::optional<std::int64_t> count() const {
        std::int64_t value = 0;
        if (file_ < 0 || ::read(file_, &value, sizeof value) != sizeof value) return std::nullopt;
        return value;
    }

  private:
    int file_;
};

// The n-th write of a context with 80 bytes of data, as existing clients make them.
Change nth_change(std::size_t n) {
    constexpr std::int64_t kNow = 1760000000123;
    Context context;
    context.key = "chat:" + std::to_string(1000 + n % kKeys);
    context.type = ContextType::chat;
    context.mode = "parallel";
    context.data = R"({"author":"assistant-17","n":)" + std::to_string(10000 + n) +
                   R"(,"text":"a small note about the state of it"})";
    context.version = 100 + n / kKeys;
    context.created_by = "vscode-1";
    context.last_modified_by = "vscode-1";
    context.created_at_ms = kNow;
    context.updated_at_ms = kNow + static_cast<std::int64_t>(n);
    context.expires_at_ms = context.updated_at_ms + 86'400'000;
    context.offset = 1000 + n;
    ContextChange change;
    change.previous_version = context.version - 1;
    change.context = std::make_shared<const Context>(std::move(context));
    return change;
}

class Bench {
  public:
    Bench(std::size_t events, std::string_view only) : only_(only) {
        for (std::size_t i = 0; i < events; ++i)
            changes_.push_back(nth_change(i));
        out_.reserve(1 << 16);
    }

    void all() {
        writing();
        hashing();
        batches();
        State state;
        part("fold", [&](const Change& change) { fold(state, change); });
    }

  private:
    template <class Work>
    void part(std::string_view name, Work work) {
        if (!only_.empty() && only_ != name) return;
        const std::size_t first = changes_.size() / 8;  // the others are for warming up
        for (std::size_t i = 0; i < first; ++i)
            work(changes_[i]);
        const auto before = instructions_.count();
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t i = first; i < changes_.size(); ++i)
            work(changes_[i]);
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - begin;
        const auto after = instructions_.count();
        const auto count = static_cast<double>(changes_.size() - first);
        std::printf("{\"part\":\"%.*s\",\"instructions\":", static_cast<int>(name.size()),
                    name.data());
        if (before && after)
            std::printf("%.0f", static_cast<double>(*after - *before) / count);
        else
            std::printf("null");
        std::printf(",\"ns\":%.0f}\n", took.count() / count);
    }

    void writing() {
        part("write_context", [&](const Change& change) {
            out_.clear();
            write_context(out_, *std::get<ContextChange>(change).context);
        });
        part("write_plain_event", [&](const Change& change) {
            out_.clear();
            wire::write_plain_event(out_, "ada",
                                    {.offset = 123456,
                                     .hash = {},
                                     .timestamp_ms = 1760000000123,
                                     .source_instance_id = "vscode-1"},
                                    change);
        });
        Reply reply{.operation_id = "op-00012345", .result = "{}", .version = 100};
        part("write_ack", [&](const Change&) {
            out_.clear();
            wire::write_ack(out_, reply);
        });
    }

    void hashing() {
        const std::string data = encode_change(changes_.front());
        const std::string fields(229, 'x');
        part("hash_content", [&](const Change&) { sha256({view(Salt{}), data}); });
        part("hash_event", [&](const Change&) { sha256({fields}); });
    }

    void batches() {
        constexpr std::size_t kBatch = 16;
        EventBatch batch;
        LogHead head{.epoch = 7, .offset = 0, .hash = genesis_hash("ada", 7), .timestamp_ms = 0};
        part("append_change", [&](const Change& change) {
            if (batch.size() == kBatch) {
                batch.entries.clear();
                batch.texts.clear();
            }
            append_change(batch, head, change,
                          {.source_instance_id = "vscode-1",
                           .operation_id = "op-00012345",
                           .fingerprint = 77,
                           .timestamp_ms = 1760000000123,
                           .salt = {}});
        });
        if (batch.empty())
            append_change(batch, head, changes_.front(), {.timestamp_ms = 1760000000123});
        part("encode_batch", [&](const Change&) {
            out_.clear();
            encode_batch(batch, out_);
        });
    }

    Instructions instructions_;
    std::string_view only_;
    std::vector<Change> changes_;
    std::string out_;
};

}  // namespace
}  // namespace dyad::bench

int main(int count, char** words) {
    std::size_t events = 40'000;
    std::string_view only;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word == "--smoke") {
            events = 400;
        } else if (word == "--only" && i + 1 < count) {
            only = words[++i];
        } else {
            return std::fprintf(stderr, "usage: event_bench [--only PART] [--smoke]\n"), 2;
        }
    }
    dyad::bench::Bench(events, only).all();
    return 0;
}
