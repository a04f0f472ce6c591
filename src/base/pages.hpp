// Memory by the page: for what is large and soon done with. It goes back to the system with its
// owner, where an allocator may keep it for as long as a process is idle.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include <sys/mman.h>

namespace dyad {

class Pages {
  public:
    Pages() = default;
    // Zeros. Throws std::bad_alloc.
    explicit Pages(std::size_t bytes) : bytes_(bytes) {
        if (bytes == 0) return;
        void* const at =
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        data_ = static_cast<char*>(at);
    }
    Pages(Pages&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Pages& operator=(Pages&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Pages() {
        if (data_ != nullptr) munmap(data_, bytes_);
    }

    std::span<char> span() noexcept { return {data_, bytes_}; }
    operator std::string_view() const noexcept { return {data_, bytes_}; }
    std::size_t size() const noexcept { return bytes_; }

  private:
    char* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace dyad
