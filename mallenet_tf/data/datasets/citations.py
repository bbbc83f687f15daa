"""The papers of the data sets, as BibTeX."""

BSD = """@article{arbelaez2011contour,
  title = {Contour Detection and Hierarchical Image Segmentation},
  author = {Arbel\\'aez, Pablo and Maire, Michael and Fowlkes, Charless and Malik, Jitendra},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {33}, number = {5}, pages = {898--916}, year = {2011}
}"""

CBSD68 = """@inproceedings{martin2001database,
  title = {A Database of Human Segmented Natural Images and its Application to Evaluating
           Segmentation Algorithms and Measuring Ecological Statistics},
  author = {Martin, David and Fowlkes, Charless and Tal, Doron and Malik, Jitendra},
  booktitle = {IEEE International Conference on Computer Vision},
  pages = {416--423}, year = {2001}
}"""

WED = """@article{ma2017waterloo,
  title = {Waterloo Exploration Database: New Challenges for Image Quality Assessment Models},
  author = {Ma, Kede and Duanmu, Zhengfang and Wu, Qingbo and Wang, Zhou and Yong, Hongwei and
            Li, Hongliang and Zhang, Lei},
  journal = {IEEE Transactions on Image Processing},
  volume = {26}, number = {2}, pages = {1004--1016}, year = {2017}
}"""

DIV2K = """@inproceedings{agustsson2017ntire,
  title = {{NTIRE} 2017 Challenge on Single Image Super-Resolution: Dataset and Study},
  author = {Agustsson, Eirikur and Timofte, Radu},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition Workshops},
  year = {2017}
}"""

FLICKR2K = """@inproceedings{lim2017enhanced,
  title = {Enhanced Deep Residual Networks for Single Image Super-Resolution},
  author = {Lim, Bee and Son, Sanghyun and Kim, Heewon and Nah, Seungjun and Lee, Kyoung Mu},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition Workshops},
  year = {2017}
}"""

KODAK = """@misc{kodak1999,
  title = {Kodak Lossless True Color Image Suite},
  author = {Franzen, Rich}, howpublished = {http://r0k.us/graphics/kodak/}, year = {1999}
}"""

MCMASTER = """@article{zhang2011color,
  title = {Color Demosaicking by Local Directional Interpolation and Nonlocal Adaptive
           Thresholding},
  author = {Zhang, Lei and Wu, Xiaolin and Buades, Antoni and Li, Xin},
  journal = {Journal of Electronic Imaging},
  volume = {20}, number = {2}, pages = {023016}, year = {2011}
}"""

URBAN100 = """@inproceedings{huang2015single,
  title = {Single Image Super-Resolution from Transformed Self-Exemplars},
  author = {Huang, Jia-Bin and Singh, Abhishek and Ahuja, Narendra},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {5197--5206}, year = {2015}
}"""

SIDD = """@inproceedings{abdelhamed2018high,
  title = {A High-Quality Denoising Dataset for Smartphone Cameras},
  author = {Abdelhamed, Abdelrahman and Lin, Stephen and Brown, Michael S.},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {1692--1700}, year = {2018}
}"""

DND = """@inproceedings{plotz2017benchmarking,
  title = {Benchmarking Denoising Algorithms with Real Photographs},
  author = {Pl\\"otz, Tobias and Roth, Stefan},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {1586--1595}, year = {2017}
}"""

POLYU = """@article{xu2018real,
  title = {Real-world Noisy Image Denoising: A New Benchmark},
  author = {Xu, Jun and Li, Hui and Liang, Zhetong and Zhang, David and Zhang, Lei},
  journal = {arXiv preprint arXiv:1804.02603}, year = {2018}
}"""

RENOIR = """@article{anaya2018renoir,
  title = {{RENOIR} - A Dataset for Real Low-Light Image Noise Reduction},
  author = {Anaya, Josue and Barbu, Adrian},
  journal = {Journal of Visual Communication and Image Representation},
  volume = {51}, pages = {144--154}, year = {2018}
}"""

NAM = """@inproceedings{nam2016holistic,
  title = {A Holistic Approach to Cross-Channel Image Noise Modeling and its Application to Image
           Denoising},
  author = {Nam, Seonghyeon and Hwang, Youngbae and Matsushita, Yasuyuki and Kim, Seon Joo},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {1683--1691}, year = {2016}
}"""
